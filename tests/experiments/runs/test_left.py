"""Whatever a killed command leaves half-written, the same command removes when it is typed again; of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from innerjudge.models.foreign import Scratch, replacing, try_place

LEFT = Path(__file__).with_name("left.py")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="runs are forks")
def test_outputs_are_clean_after_a_kill(forks: Any, tmp_path: Path) -> None:
    """Every command where ``INNERJUDGE_LEFT=all`` is set; the damage bench kills all of them as well."""
    names = [] if os.environ.get("INNERJUDGE_LEFT") == "all" else ["fit", "curves"]
    with forks.script(LEFT, tmp_path, *names) as ended:
        said, errors = ended.communicate()
    assert ended.returncode == 0, errors[-2000:]
    found = json.loads(said.splitlines()[-1])
    assert len(found) == (len(names) or 13)
    assert {name: one["odd"] for name, one in found.items() if one["odd"]} == {}
    assert all(one["kills"] for one in found.values()), found


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(FileNotFoundError), replacing(path) as half:
        half.write_bytes(path.read_bytes() + (tmp_path / "none").read_bytes())
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "before"
    with replacing(path) as half:
        half.write_text("after")
    assert path.read_text() == "after"


def test_the_trial_of_a_killed_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", lambda _path: None)
        try_place(tmp_path)
    assert list(tmp_path.iterdir())
    try_place(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        try_place(tmp_path / "none")


#: Makes a folder for an output, and ends as a killed process does.
DYING = """
import os, sys
from innerjudge.models.foreign import Scratch
made = Scratch("s3://there/a")
open(os.path.join(made.name, "copy"), "w").close()
print(made.name, flush=True)
os._exit(9)
"""


def test_the_next_run_of_an_output_deletes_its_scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    env = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, env=env)
    left = Path(ended.stdout.strip())
    assert (left / "copy").is_file(), ended.stderr
    other = Scratch("s3://there/b")
    assert left.is_dir(), "another output"
    mine = Scratch("s3://there/a")
    assert not left.exists()
    again = Scratch("s3://there/a")
    assert Path(mine.name).is_dir(), "of a run that is alive"
    for one in (other, mine, again):
        one.cleanup()
    assert not [one for one in tmp_path.iterdir() if one.is_dir()]
