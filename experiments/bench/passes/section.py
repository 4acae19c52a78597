"""What a section of the benchmark is: one set of texts and the ways of running them that are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from ....models.loading import LanguageModel
from ....models.positions import Encoding
from .work import Work

#: Runs all texts of a section once; what it returns is thrown away.
Run = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way of running the texts; each of the peers is one file in ``variants/``.

    Args:
        name: As the table says it.
        prepare: From the section's work to what is timed; all that is done once (wrapping a model) happens here.
        keeps: What is there afterwards, in a few words.
        package: What must be installed for it; ``None`` for nothing beyond innerjudge's own needs.
        against: Name of the variant whose time and memory it is divided by; the section's reference if left out.
        expected: What the ratio of times should be at most; ``None`` where nothing is asked.
        expected_memory: The same of peak memory.
    """

    name: str
    prepare: Callable[[Work], Run]
    keeps: str = ""
    package: str | None = None
    against: str | None = None
    expected: float | None = None
    expected_memory: float | None = None

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return self.package is None or find_spec(self.package) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table.

    Args:
        key: Short name, for ``--only`` and file names.
        title: Heading.
        about: What is compared, in a sentence.
        make_items: From the model and whether the run is a quick one to the texts.
        make_variants: From the work to the variants; the first one is the reference.
        memory: Whether peak memory is measured.
    """

    key: str
    title: str
    about: str
    make_items: Callable[[LanguageModel, bool], tuple[Encoding, ...]]
    make_variants: Callable[[Work], tuple[Variant, ...]]
    memory: bool = False
