"""Which ways of reading are open for a model, and why another is not: what ``innerjudge models`` says of them."""

from .loading import LanguageModel


def padding_refused(lm: LanguageModel) -> str | None:
    """Why texts of different lengths are read one at a time; ``None`` where they are padded.

    Example:
        >>> from innerjudge.models.loading import load
        >>> padding_refused(load("reference")) is None
        True
    """
    if lm.padding_sides:
        return None
    return "padding beside a text changes its states, on either side: it has no mask for all that it reads"


def packing_refused(lm: LanguageModel) -> str | None:
    """Why texts do not lie end to end in one row; ``None`` where they may."""
    if lm.reads_packed:
        return None
    if lm.anatomy.position_offset is None:
        return "it takes no position ids that would tell texts apart"
    if lm.anatomy.stream.layout.prefix:
        return "it puts tokens of its own before a text"
    return f"the states of texts that lie end to end are not those of the texts alone (kernel {lm.attention})"


def sharing_refused(lm: LanguageModel) -> str | None:
    """Why a prompt is computed for each of its texts; ``None`` where they share it."""
    if lm.shares_prompts:
        return None
    return "a text that goes on after a cached prompt reads differently, or there is no such cache"


def open_paths(lm: LanguageModel) -> dict[str, str]:
    """Name of a way of reading -> "open", with its limits, or why it is closed.

    Example:
        >>> from innerjudge.models.loading import load
        >>> open_paths(load("reference"))["batches"]
        'open, padded left or right'
    """
    sides = " or ".join(sorted(lm.padding_sides))
    batches = f"open, padded {sides}" if sides else f"closed, one text at a time: {padding_refused(lm)}"
    if sides and lm.mixing.until is not None:
        rule = "of one length" if lm.mixing.exact else "apart"
        batches += f"; texts of more than {lm.mixing.until} tokens {rule} (rotary angles follow the longest)"
    closed = {"packing": packing_refused(lm), "shared prompts": sharing_refused(lm)}
    return {
        "batches": batches,
        **{name: "open" if why is None else f"closed: {why}" for name, why in closed.items()},
        "early stop": f"open, after each of {lm.anatomy.n_blocks} blocks",
    }
