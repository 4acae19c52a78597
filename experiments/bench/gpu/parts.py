"""The parts of the suite: what each is, how long it may take, and what it is run with."""

from dataclasses import dataclass, field

DTYPES = ("float32", "bfloat16", "float16")
SHAPES = ("7b", "8b")
#: Short name -> what transformers calls it.
ATTENTION = {"sdpa": "sdpa", "flash": "flash_attention_2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its ``key`` for ``--only``, its table's title and sentence, and the ``seconds`` that it may take."""

    key: str
    title: str
    about: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a part's table: figures by the name of their column, or the ``reason`` why there are none."""

    what: str
    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run: of real size on a card, tiny to see that it runs."""

    device: str
    tiny: bool

    @property
    def dtype(self) -> str:
        """Type of the weights of all but the tests."""
        return "float32" if self.device == "cpu" else "bfloat16"

    def shape(self, name: str) -> str:
        """The shape that stands for a shape."""
        return "tiny" if self.tiny else name

    @property
    def rounds(self) -> int:
        """How often a way is timed beside the bare pass."""
        return 1 if self.tiny else 3

    @property
    def lengths(self) -> tuple[tuple[int, int], ...]:
        """Texts and their tokens, for the passes."""
        return ((2, 64), (1, 96)) if self.tiny else ((4, 1024), (1, 8192))

    @property
    def prompts(self) -> tuple[int, int]:
        """Prompts and their tokens, for vLLM's protocol."""
        return (4, 32) if self.tiny else (64, 8192)

    @property
    def grid(self) -> tuple[int, tuple[int, ...]]:
        """How many texts, and of which lengths, for the grid."""
        return (4, (8, 16)) if self.tiny else (64, (16, 32, 64, 128, 256, 512))


_PASSES = (
    "4 texts of 1,024 tokens and one of 8,192, whose second half is the response; each way takes turns with the bare "
    "pass, and its ratio is to that, of seconds of the clock: middle, least and most of the rounds."
)
_GRID = (
    "64 texts of each length, states of four blocks of the last token or of all tokens, brought to the processor: "
    "tokens of the texts a second."
)
#: All parts in their order; together they may take :data:`SECONDS`.
PARTS = (
    *(
        Part(
            key=f"tests-{dtype}",
            title=f"Tests on the device, {dtype}",
            about="What is read, beside the processor in float32 with the same weights: the largest difference by the "
            "largest value, and what is allowed.",
            seconds=35,
        )
        for dtype in DTYPES
    ),
    *(
        Part(
            key=f"passes-{shape}-{attention}",
            title=f"Passes of a {shape.upper()} shape, {attention}",
            about=_PASSES,
            seconds=50,
        )
        for shape in SHAPES
        for attention in ATTENTION
    ),
    *(
        Part(
            key=f"lens-{shape}",
            title=f"TransformerLens, a {shape.upper()} shape",
            about="The same texts; the bare pass is timed before TransformerLens takes the model, and the ratio is to "
            "its middle.",
            seconds=25,
        )
        for shape in SHAPES
    ),
    Part(key="grid", title="Last token and all tokens", about=_GRID, seconds=35),
    Part(
        key="vllm",
        title="vLLM, extraction of hidden states",
        about="64 prompts of 8,192 random tokens, one new token each, no prefix cache, two engines with the same "
        "settings (an 8B shape, modules as they are written, no chunks), without extraction and then with it: states "
        "of four blocks, which eight clients read from files as they come. Then the grid: this engine keeps all "
        "tokens' states in any case, and a client reads the last one's or all.",
        seconds=210,
    ),
)
#: The limit of the whole.
SECONDS = sum(part.seconds for part in PARTS)
