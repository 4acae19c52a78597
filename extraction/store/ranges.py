"""A piece of a file, wherever it lies, without the rest of it."""

from .place import Place
from .remote_place import RemotePlace


def read_range(at: Place, name: str, start: int, stop: int) -> bytes:
    """The bytes of a file from ``start`` up to ``stop``, or up to its end if that comes first.

    Args:
        at: The folder.
        name: Of the file.
        start: First byte.
        stop: The byte behind the last.

    Example:
        >>> import tempfile
        >>> from innerjudge.extraction.store.place import place
        >>> at = place(tempfile.mkdtemp())
        >>> at.write("a", [b"0123456789"])
        >>> read_range(at, "a", 2, 5), read_range(at, "a", 8, 20)
        (b'234', b'89')
    """
    if isinstance(at, RemotePlace):
        return at.range(name, start, stop)
    with at.local(name).open("rb") as file:
        file.seek(start)
        return file.read(stop - start)
