"""Where features came from, so that a judge never reads those of another model."""

import platform
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from ..models.arguments import checked_fields
from ..models.errors import InnerjudgeError
from ..models.loading import LanguageModel

#: Row convention of every per-layer array; bump when it changes, so that old artefacts are refused.
LAYER_CONVENTION = "h[0..L] raw, then final_norm(h[L])"
#: :attr:`Provenance.prompt` of choices that are asked without "None of the above" and "I don't know".
WITHOUT_ABSTAIN = "choices without the abstain lines"
#: What must agree between the features that a judge was fitted on and those that it scores.
_BINDING = ("fingerprint", "dtype", "attention", "chat_template", "layers", "prompt", "last_block")


@checked_fields
@dataclass(frozen=True, slots=True)
class Provenance:
    """Identity of the model and conventions behind a set of features.

    Args:
        model: Name or folder as the user gave it. For reading only: a folder may move.
        revision: Revision on the hub; ``None`` for a folder.
        fingerprint: Hash of the model; :attr:`LanguageModel.fingerprint` says of what.
        dtype: Type of the weights during the pass.
        attention: Attention kernel of the pass.
        chat_template: Hash of the chat template; ``"none"`` without one.
        layers: Row convention of per-layer arrays.
        prompt: How items were asked where that is not as published, such as :data:`WITHOUT_ABSTAIN`; else empty.
        versions: Library versions. For reading only.
        last_block: Block that the pass stopped after, so that arrays hold raw ``h[0..last_block]`` only; ``None`` for a
            whole pass.
        remote_code: Whether Python code that came with the model ran. For reading only: loading it again needs trust
            again.
        origin: What the weights were made from, such as a GGUF file's quantisation and hash; empty for a Hugging Face
            folder. For reading only.

    Example:
        >>> a = Provenance("m", None, "f1", "float32", "sdpa", "none")
        >>> b = Provenance("m", None, "f2", "float32", "sdpa", "none")
        >>> a.differences(b)
        ('fingerprint',)
    """

    model: str
    revision: str | None
    fingerprint: str
    dtype: str
    attention: str
    chat_template: str
    layers: str = LAYER_CONVENTION
    prompt: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    last_block: int | None = None
    remote_code: bool = False
    origin: str = ""

    def binding(self) -> dict[str, str | int | None]:
        """The fields that must agree between features that one judge reads, by name."""
        return {name: getattr(self, name) for name in _BINDING}

    def differences(self, other: "Provenance") -> tuple[str, ...]:
        """Names of the binding fields in which two provenances differ."""
        return tuple(name for name in _BINDING if getattr(self, name) != getattr(other, name))

    def require(self, other: "Provenance", what: str) -> None:
        """Raise unless ``other`` (what was given) agrees with this one (what is expected)."""
        if names := self.differences(other):
            pairs = ", ".join(f"{n} {getattr(other, n)!r} instead of {getattr(self, n)!r}" for n in names)
            raise InnerjudgeError.of("extraction.provenance", what, other.model, pairs, self.model)

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSON header."""
        known = {**asdict(self), "versions": dict(self.versions)}
        # Headers from before these were recorded say the same.
        return {name: value for name, value in known.items() if value or name not in ("remote_code", "origin")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        return cls(**{**data, "versions": tuple(sorted(data.get("versions", {}).items()))})


def provenance(lm: LanguageModel, *, last_block: int | None = None) -> Provenance:
    """Identity of a loaded model, as features and judges carry it; ``last_block`` where a pass stopped early."""
    names = ("revision", "fingerprint", "dtype", "attention", "remote_code", "origin")
    known: dict[str, Any] = {name: getattr(lm, name) for name in names} | {"chat_template": lm.chat_template_hash}
    return Provenance(lm.name, versions=versions(), last_block=last_block, **known)


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of Python and of the libraries that make the numbers."""
    found = [("python", platform.python_version())]
    for name in ("innerjudge", "numpy", "scikit-learn", "torch", "transformers"):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(sorted(found))
