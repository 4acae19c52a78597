"""Every file of an extraction checked against the checksum that was written with it."""

from ...extraction.store import FeatureStore
from ...extraction.store.header import HEADER as STORE
from ...extraction.store.place import place
from ...models.errors import InnerjudgeError
from ..drawing.style import counted
from .job_files import HEADER, ITEMS, PERMUTED, damaged_files, inside

#: Damaged files that are named.
_NAMED = 20


def verify_job(folder: str) -> list[str]:
    """What is whole, a line for each store.

    Args:
        folder: What ``extract``, ``merge`` or :meth:`FeatureStore.save` wrote, or a URI.

    Raises:
        InnerjudgeError: Names the files that are damaged or not there, and what makes them again.
    """
    at = place(folder)
    if all(at.size(name) is None for name in (HEADER, ITEMS, STORE)):
        raise InnerjudgeError(f"given {folder!r} without {STORE}, expected features: run `innerjudge extract`")
    found, lines = damaged_files(folder), []
    inner = [one for one in ("", PERMUTED) if not one or at.size(f"{one}/{STORE}") is not None or at.names(one)]
    for one in inner:
        prefix = f"{one}/" if one else ""
        try:
            store = FeatureStore.begun(inside(at, one))
        except InnerjudgeError as error:
            found[f"{prefix}{STORE}"] = str(error)
            continue
        found |= {f"{prefix}{name}": why for name, why in store.look(checksums=True).values()}
        held = f"{counted(len(store), 'item')} in {counted(store.header.shards, 'shard')}"
        lines.append(f"{store.place}: {held}, all as they were written.")
    if found:
        said = "; ".join(f"{name}: {why}" for name, why in list(found.items())[:_NAMED])
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise InnerjudgeError(
            f"given the store {folder} with {counted(len(found), 'file')} missing or damaged ({said}{more}), expected "
            "all of them whole: run the same `innerjudge extract` again, it makes them again"
        )
    return lines
