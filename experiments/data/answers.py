"""Final answers brought to one spelling, so that votes and comparisons count the same answer once."""

import re

_NUMBER = re.compile(r"([+-]?)\$?([+-]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d*))? ?%?", re.ASCII)
_FRACTION = re.compile(r"([+-]?\d+) ?/ ?(\d+)", re.ASCII)
_LETTER = re.compile(r"\(?([a-z])[).:]?", re.ASCII)


def normalise(answer: str | None) -> str | None:
    """Bring a final answer to one spelling.

    Numbers lose thousands separators, a currency or percent sign, leading zeros and a fraction of zeros; fractions stay
    fractions; a lone letter is an option and becomes a capital; other text is put in lower case with single spaces and
    without final full stops. Applying it twice changes nothing. ``None`` and blank text give ``None``.

    Example:
        >>> [normalise(a) for a in ("1,234.0", "$18", " 18.", "-0.50", "7 / 14", "(b)", "  Not   Given. ", "")]
        ['1234', '18', '18', '-0.5', '7/14', 'B', 'not given', None]
    """
    if answer is None:
        return None
    text = " ".join(answer.replace("\u2212", "-").lower().split()).rstrip(". ")
    if found := _number(text):
        return found
    if fraction := _FRACTION.fullmatch(text):
        return f"{fraction[1]}/{fraction[2]}"
    letter = _LETTER.fullmatch(text)
    return letter[1].upper() if letter else text or None


def _number(text: str) -> str | None:
    found = _NUMBER.fullmatch(text)
    if not found or not (found[3] or found[4]) or (found[1] and found[2]):
        return None
    whole = found[3].replace(",", "").lstrip("0") or "0"
    decimals = (found[4] or "").rstrip("0")
    value = f"{whole}.{decimals}" if decimals else whole
    return f"-{value}" if "-" in (found[1], found[2]) and value != "0" else value
