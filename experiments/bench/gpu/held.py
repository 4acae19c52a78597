"""The tests of the device, run by pytest in this process: a row for each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError
from .parts import Row, Sizes

_ROOT = Path(__file__).resolve().parents[3]
_TESTS = _ROOT / "tests" / "extraction" / "test_on_device.py"


def held(dtype: str, sizes: Sizes) -> Iterator[Row]:
    """Run the tests on the device in a type; a failed or skipped one says why."""
    try:
        import pytest
    except ImportError:
        raise InnerjudgeError("given no pytest, expected the extra [test]: `pip install -e '.[test]'`") from None
    rows: list[Row] = []

    class Listener:
        """Makes a row of each report."""

        def pytest_runtest_logreport(self, report: Any) -> None:
            """A test that ran, or one that was skipped or failed before it ran."""
            if report.when == "call" or (report.when == "setup" and not report.passed):
                figures = {name: float(value) for name, value in report.user_properties}
                rows.append(Row(what=report.nodeid.rpartition("::")[2], figures=figures, reason=_why(report)))

    os.environ |= {"INNERJUDGE_DEVICE": sizes.device, "INNERJUDGE_DTYPE": dtype}
    code = pytest.main(
        ["-q", "-p", "no:cacheprovider", f"--rootdir={_ROOT}", f"--confcutdir={_ROOT}", str(_TESTS)],
        plugins=[Listener()],
    )
    yield from rows
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        yield Row(what="pytest", reason=f"ended with {code!r}")


def _why(report: Any) -> str:
    if report.passed:
        return ""
    if report.skipped:
        return f"skipped: {report.longrepr[2].removeprefix('Skipped: ')}"
    crash = getattr(report.longrepr, "reprcrash", None)
    return f"FAILED: {' '.join((crash.message if crash else str(report.longrepr)).split())[:300]}"
