"""Curves of scored candidates, from verdict files to a table, plots and rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...extraction.provenance import versions
from ...models.errors import InnerjudgeError, readable, shown
from ...models.foreign import HALF
from ..data.jsonl import check_new, checksum_of, write_jsonl, writing
from ..drawing.style import filled
from .columns import Columns, Spelling, judges_of, read_columns
from .curve_plot import draw
from .curves import Point, curve_rows, discrimination
from .representatives import load_vectors
from .rules import Rule
from .select_job import held_out, temperature_of

_TEMPLATE = Path(__file__).parent / "templates" / "curves.md"
#: The file that tells a folder of curves, which is written last, and what a killed run may leave without it.
ROWS = "curves.jsonl"
_BEGUN = {"curves.md", "curves.png", "tokens.png", "seconds.png", f"{ROWS}{HALF}", checksum_of(Path(ROWS)).name}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSettings:
    """How curves are made: of which ``judges`` (empty for all), and with which parameters of the rules.

    ``score`` is the field that holds the score, ``data`` the candidates' own file, for what the rows lack, ``features``
    the folder of an extraction, for VecCISC; ``clusters`` is its most for one answer. ``k`` vote in top-maj,
    ``min_count`` must give an answer in Best-of-Majority. Each judge's temperature is chosen on the share ``held_out``
    of the questions, and figures are of the others, over ``n_orders`` random orders of each.
    """

    judges: tuple[str, ...] = ()
    score: str = "score"
    data: Path | None = None
    spelling: Spelling = "plain"
    features: Path | None = None
    clusters: int = 2
    k: int = 4
    min_count: int = 2
    held_out: float = 0.1
    n_max: int | None = None
    n_orders: int = 100
    seed: int = 0


def curve_job(files: Sequence[Path], out: Path, how: CurveSettings, *, command: str) -> str:
    """Write ``curves.jsonl``, ``curves.md``, ``curves.png``; where costs are known, ``tokens.png``, ``seconds.png``.

    Files that cannot be read or disagree on the candidates, nothing known to be right or wrong, or other files in
    ``out`` are an error.
    """
    check_new(out, ours=ROWS, begun=_BEGUN)
    judges = _judges(files, how)
    first = next(iter(judges.values()))
    vectors = None if how.features is None else load_vectors(how.features, first)
    held = held_out(first, how.held_out, seed=how.seed)
    chosen = {name: temperature_of(columns, held) for name, columns in judges.items()}
    rest = [k for k, question in enumerate(first.questions) if question not in held]
    rested = {name: columns.take(rest) for name, columns in judges.items()}
    usual, gated = (Rule("best-of-n"), Rule("top-maj", k=how.k)), Rule("best-of-majority", min_count=how.min_count)
    rules = {name: (*usual, Rule("weighted", temperature=t), gated) for name, t in chosen.items()}
    kept = None if vectors is None else vectors[rest]
    points = curve_rows(
        rested, rules, vectors=kept, clusters=how.clusters, n_max=how.n_max, n_orders=how.n_orders, seed=how.seed
    )
    found = [discrimination(name, columns) for name, columns in rested.items()]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        text = _page(points, found=found, chosen=chosen, n_held=len(held), how=how, command=readable(command))
        (out / "curves.md").write_text(text, encoding="utf-8")
        for against, name in (("n", "curves"), ("tokens", "tokens"), ("seconds", "seconds")):
            figure = draw(points, against=against)
            if figure is not None:
                figure.savefig(out / f"{name}.png", dpi=150)
        rows = [asdict(point) | {"judge": point.judge or None} for point in points]
        for one in found:
            told = {"within_question_pairs": one.pooled.told(), "within_question_auroc": one.per_question.told()}
            rows.append({"judge": one.judge, "unscored": one.unscored, **told})
        write_jsonl(out / ROWS, rows)
    return text


def _judges(files: Sequence[Path], how: CurveSettings) -> dict[str, Columns]:
    judges: dict[str, Columns] = {}
    for path in files:
        for name in judges_of(path) or (None,):
            named = name or path.stem
            if how.judges and named not in how.judges:
                continue
            if named in judges:
                raise InnerjudgeError.of("selection.judge-twice", shown(path.name), shown(named))
            judges[named] = read_columns(path, score=how.score, judge=name, data=how.data).with_answers(how.spelling)
    if not judges:
        raise InnerjudgeError.of("selection.no-judges", shown(", ".join(how.judges)))
    first_name, first = next(iter(judges.items()))
    wanted = list(zip(first.questions, first.candidates, strict=True))
    for name, columns in judges.items():  # all in the order of the first
        places = {key: k for k, key in enumerate(zip(columns.questions, columns.candidates, strict=True))}
        odd = next(iter(set(places).symmetric_difference(wanted)), None)
        if odd is not None:
            names = shown(first_name), shown(name)
            raise InnerjudgeError.of("selection.other-candidates", shown(odd[1]), shown(odd[0]), names[0], names[1])
        judges[name] = columns.take([places[key] for key in wanted])
    return judges


def _page(points: Sequence[Point], **known: Any) -> str:
    largest, lines = max(point.n for point in points), dict[tuple[str, str], dict[int, Point]]()
    for point in points:
        lines.setdefault((point.rule, point.judge), {})[point.n] = point
    sizes = [n for n in sorted({point.n for point in points}) if n & (n - 1) == 0 or n == largest]
    known |= {"made_with": ", ".join(f"{name} {one}" for name, one in versions()), "questions": points[0].questions}
    known |= {"lines": lines, "sizes": sizes, "largest": largest}
    cell = lambda text: shown(text, len(text)).replace("|", "\\|")  # noqa: E731
    return filled(_TEMPLATE.read_text("utf-8"), known, cell=cell) + "\n"
