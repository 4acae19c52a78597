"""Numbers of things, in words that agree with them."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """So many of something.

    Example:
        >>> counted(1, "shard"), counted(2, "shard"), counted(0, "item")
        ('1 shard', '2 shards', '0 items')
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def are_in(count: int, what: str, where: object) -> str:
    """The sentence that so many of something are somewhere.

    Example:
        >>> are_in(1, "item", "runs/f"), are_in(3, "verdict", "v.jsonl")
        ('1 item is in runs/f.', '3 verdicts are in v.jsonl.')
    """
    return f"{counted(count, what)} {'is' if count == 1 else 'are'} in {where}."
