"""What the model may train on, and what is kept for held-out items.

A seed chooses the side (training below :data:`HELD_OUT_SEED`, held-out from there on) and a hash of the problem's text
decides which side a problem belongs to, so the two can never share a problem, whatever seeds are drawn.
"""

from hashlib import blake2b

#: Training never uses seeds from here on.
HELD_OUT_SEED = 1_000_000
_HELD_OUT_ONE_IN = 10


def is_held_out(text: str) -> bool:
    """Say whether a problem's text is reserved for held-out items (one in ten, by a stable hash).

    Example:
        >>> is_held_out("Start with 7. Add 5.") == is_held_out("Start with 7. Add 5.")
        True
    """
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _HELD_OUT_ONE_IN == 0


def belongs(text: str, seed: int) -> bool:
    """Say whether a generator that runs under ``seed`` may use a problem.

    Example:
        >>> belongs("Start with 7.", 1) != belongs("Start with 7.", HELD_OUT_SEED + 1)
        True
    """
    return is_held_out(text) == (seed >= HELD_OUT_SEED)
