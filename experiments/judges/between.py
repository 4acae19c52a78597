"""Where CLUE and the probes read, as one word, so that the command line knows it without loading a judge."""

from enum import StrEnum


class Between(StrEnum):
    """Where CLUE and the probes read."""

    reasoning = "reasoning"
    response = "response"


def positions(between: Between) -> tuple[str, str]:
    """The two positions that a :class:`Between` stands for."""
    return ("reasoning_start", "reasoning_end") if between is Between.reasoning else ("prompt_end", "response_end")
