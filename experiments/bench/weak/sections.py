"""What the page says of each study: its table, and the claims by which a way to learn pays or does not."""

from .labelled import FEW, LABELS
from .ordered import NOISE
from .page import Claim, Found, Section


def sections(found: list[Found]) -> list[Section]:
    """One a study, in the order of the page."""
    return [
        Section(
            "All labels, or counts alone",
            "*Counts* say how many answers to each question are right, but not which. Where `CountedProbe` is\n"
            "worse than all labels on *solve*, the shift that makes the counts likeliest is not that of the labels: a\n"
            "fit that begins at the labels' shift moves away from it.",
            found[0],
            (
                Claim("all labels, centred", "all labels, plain", 0.0, "Centring"),
                Claim("counts, CountedProbe", "counts as soft labels", 0.0, "`CountedProbe` against shares"),
                Claim("counts, CountedProbe", "all labels, plain", -0.03, "`CountedProbe` against all labels"),
            ),
        ),
        Section(
            "Labels of three raters",
            "They are right on 0.8, 0.7 and 0.6 of all answers.",
            found[1],
            (
                Claim(
                    "three raters, share as soft label, centred",
                    "three raters, vote, centred",
                    0.0,
                    "Shares as soft labels against the vote",
                ),
            ),
        ),
        _few(found[2]),
        Section(
            "Rankings",
            f"A teacher scores the answers: the truth (0 or 1) with noise of {NOISE:g}, on a level and a scale of\n"
            "each question, which tell nothing. Then also with the worse half of each question in random order.",
            found[3],
            (
                Claim("scores, pairs", "scores, ridge", 0.0, "Pairs against ridge on the scores"),
                Claim("scores, PLD", "scores, pairs", 0.0, "PLD against pairs"),
                Claim(
                    "worse half at random, PLD",
                    "worse half at random, pairs",
                    0.0,
                    "PLD against pairs, worse half at random",
                ),
                Claim(
                    "worse half at random, PLD",
                    "worse half at random, ListMLE",
                    0.0,
                    "PLD against ListMLE, worse half at random",
                ),
                Claim("the truth, pairs", "the truth, plain", 0.0, "Pairs of right and wrong against a plain probe"),
            ),
        ),
    ]


def _few(found: Found) -> Section:
    few, plain = f"{LABELS} labels", f"{LABELS} labels, random, plain"
    return Section(
        f"{LABELS} labels",
        f"*Whole questions*: all answers to {FEW} questions that have eight, or to more that have fewer. The others\n"
        "ask by the rules of `next_to_label` (*entropy*: half by *answers*, then where a centred probe on these is\n"
        "least sure), and *spread* each label to all answers to its question that say the same. A centred probe also\n"
        "takes the unlabelled answers into the means of the questions.",
        found,
        (
            Claim(f"{few}, whole questions, centred", f"{few}, whole questions, plain", 0.0, "Centring alone"),
            Claim(f"{few}, random, centred", plain, 0.0, "Centring, random candidates"),
            Claim(f"{few}, random, spread, plain", plain, 0.0, "Spread alone"),
            Claim(f"{few}, random, spread, centred", plain, 0.03, "Spread and centred, against the plain probe"),
            Claim(
                f"{few}, answers, spread, centred",
                plain,
                0.03,
                "Asked by answers, spread and centred, against the plain probe",
            ),
            Claim(
                f"{few}, entropy, spread, centred", plain, 0.03, "The same, then by entropy, against the plain probe"
            ),
            *(
                Claim(
                    f"{few}, {rule}, spread, centred",
                    f"{few}, random, spread, centred",
                    0.0,
                    f"What is asked, {rule} against random, all spread and centred",
                )
                for rule in ("answers", "entropy", "largest")
            ),
        ),
    )
