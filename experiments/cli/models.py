"""The command ``models``."""

from rich.table import Table

from ..reading.progress import PlainConsole
from ..runs.log import load_quietly
from . import options as o


def models(
    model: o.Model = "reference",
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    trust_remote_code: o.Trust = False,
    module: o.Module = None,
    limit: o.NoLimit = None,
    seed: o.NoSeed = 0,
    batch_size: o.NoBatch = 16,
) -> None:
    """Show what was detected of a model: blocks, heads, norm, head size, chat template, reasoning markers.

    innerjudge models --model Qwen/Qwen3-0.6B
    """
    del limit, seed, batch_size
    from ...models.description import describe

    table = Table(show_header=False, box=None)
    lm = load_quietly(model, device, dtype, revision, o.modules(module), trust=trust_remote_code)
    for name, value in describe(lm).items():
        table.add_row(name, "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
    PlainConsole().print(table)
