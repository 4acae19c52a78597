"""``python -m innerjudge.experiments.bench.coverage``: write the coverage table, or check the committed one."""

import argparse
import sys
import warnings
from pathlib import Path

import torch
from transformers.utils import logging

from .checks import check_type
from .document import COLUMNS, FOLDER, LENS, Table, differences, read, totals, write
from .lens_oracle import check_transformer_lens
from .shrink import registered_types


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 if ``--check`` found differences."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.coverage", description=__doc__)
    parser.add_argument("types", nargs="*", help="model types; all that are registered if left out")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of coverage.json and coverage.md")
    parser.add_argument("--check", action="store_true", help="compare with the table in --out and write nothing")
    parser.add_argument("--no-lens", action="store_true", help="leave TransformerLens out: keep what the table says")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # tiny tensors: more threads only wait for one another
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    committed = read(given.out)[0] if (given.out / "coverage.json").is_file() else {}
    found: Table = {}
    for name in given.types or registered_types():
        found[name] = dict(check_type(name).found)
        kept = committed.get(name, {}).get(LENS, "not tried")
        found[name][LENS] = kept if given.no_lens else check_transformer_lens(name)
        wrong = [f"{column}: {said}" for column, said in found[name].items() if said != "pass"]
        sys.stdout.write(f"{name}: {'; '.join(wrong) or 'pass'}\n")
        sys.stdout.flush()
    if given.check:
        changed = differences({k: v for k, v in committed.items() if k in found or not given.types}, found, COLUMNS)
        sys.stdout.write("\n".join(changed or ["as committed"]) + "\n")
        return int(bool(changed))
    write({**committed, **found} if given.types else found, given.out)
    sys.stdout.write(f"of {len(found)}: {totals(found)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
