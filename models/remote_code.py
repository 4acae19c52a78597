"""Python files that come with a model: run only on request, and reported."""

import logging

from .errors import InnerjudgeError

log = logging.getLogger("innerjudge")

#: What trusting the code of a model means, in one sentence.
MEANING = (
    "trust_remote_code runs the Python files that come with the model {name!r}, with all your rights: they can read, "
    "change and send whatever you can, so read them first, and pin the revision that you read"
)

#: Package that transformers imports such files under.
_PACKAGE = "transformers_modules"


def say_meaning(name: str) -> None:
    """Log what it means to trust the code of the model ``name``.

    Example:
        >>> MEANING.format(name="you/model")[:70]
        "trust_remote_code runs the Python files that come with the model 'you/"
    """
    log.warning(MEANING.format(name=name))


def is_remote(made: object) -> bool:
    """Whether the class of a model, config or tokenizer came with the model.

    Example:
        >>> is_remote("a string")
        False
    """
    return any(one.__module__.split(".")[0] == _PACKAGE for one in type(made).__mro__)


def wants_trust(error: BaseException) -> bool:
    """Whether transformers gave up since it was not told to trust the code of a model.

    Example:
        >>> wants_trust(ValueError("Please pass the argument `trust_remote_code=True`"))
        True
    """
    return "trust_remote_code" in str(error)


def untrusted(name: str) -> InnerjudgeError:
    """The message for a model that cannot be loaded without its own code."""
    return InnerjudgeError(
        f"given {name!r}, which brings Python code of its own, expected a model that transformers knows by itself: "
        "read that code, and if you would run it with your rights, pass trust_remote_code=True (on the command line "
        "--trust-remote-code, in a study model.trust_remote_code)"
    )
