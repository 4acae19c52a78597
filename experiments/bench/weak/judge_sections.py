"""What the page of judges' labels says of each study."""

from .judged import CHECKED, LENGTHS, TIMES
from .page import Claim, Found, Section
from .preferred import SEEDS
from .raters import CASES, GOLD


def judge_sections(found: list[Found]) -> list[Section]:
    """Two a study of raters or wordings, whose labels are counted as well, and one of each other."""
    return [*_raters(found[0]), _judged(found[1]), *_wordings(found[2]), _preferred(found[3])]


def _raters(found: Found) -> list[Section]:
    two = f"two and {GOLD} true labels, dawid-skene"
    return [
        Section(
            "Several raters: how many labels are right",
            "`aggregate` makes one label of several. *five* raters are right on .9, .75, .7, .65 and .55 of "
            "the answers, *three* on .8, .7 and .6; *lenient* ones err towards right; a *clique* is three "
            "copies (but for a label in twenty) of one of .65, beside one of .85 and one of .8; *two* are of "
            ".85 and .6. Ties count half.",
            found,
            (
                Claim("five, dawid-skene", "five, vote", 0.03, "Dawid-Skene against the vote, five"),
                Claim("three, dawid-skene", "three, vote", 0.0, "The same, three"),
                Claim("five, 60 % missing, dawid-skene", "five, 60 % missing, vote", 0.03, "The same, 60 % missing"),
                Claim("five, lenient, dawid-skene", "five, lenient, vote", 0.03, "The same, lenient"),
                Claim("five, lenient, one-coin", "five, lenient, vote", 0.0, "One-coin against the vote, lenient"),
                Claim(
                    "clique, dawid-skene", "clique, vote", 0.0, "Dawid-Skene against the vote, clique (a known limit)"
                ),
                Claim(two, "two, mean", 0.03, f"Two raters with {GOLD} true labels against their mean"),
            ),
            room=(0.0, 0.99),
            part="labels right",
        ),
        Section(
            "Several raters: what is learned",
            "AUROC within questions of centred probes on these labels; *mean* is the share as a soft label.",
            found,
            (
                *(
                    Claim(f"{case}, dawid-skene", f"{case}, mean", 0.0, f"Dawid-Skene against shares, {case}")
                    for case in CASES
                ),
                Claim("five, mean", "five, vote", 0.0, "Shares against the vote, five"),
                Claim(two, "two, mean", 0.0, f"Two raters with {GOLD} true labels against their mean"),
            ),
            part="AUROC",
        ),
    ]


def _judged(found: Found) -> Section:
    people, likes = f"probe, {CHECKED} labels of people", "judge that likes length"
    return Section(
        "A judge's labels",
        "Share of the verdicts on new answers that are right. Judges are right on .80, .65 and .78 of the "
        f"answers; the last calls long ones right too often. People are right on .95 of {CHECKED} answers, "
        f"which count {TIMES} times where both are learned from. Lengths are in tokens; in the world "
        f"{LENGTHS[0]:g} ± {LENGTHS[1]:g} of them, written in the states. *Without length*: "
        '`nuisance="length"`.',
        found,
        (
            Claim("probe, judge of .80", "judge of .80", 0.04, "The probe against its judge, .80"),
            Claim("probe, judge of .65", "judge of .65", 0.04, "The same, .65"),
            Claim("probe, judge of .80", people, 0.0, f"The judge's labels against {CHECKED} of people, .80"),
            Claim("probe, judge of .65 and people", people, 0.0, f"Both against {CHECKED} labels of people, .65"),
            Claim(f"probe, {likes}", likes, 0.0, "The probe against its judge, who likes length (a known limit)"),
            Claim(f"probe without length, {likes}", likes, 0.05, "The same without length"),
            Claim(f"probe without length, {likes}", f"probe, {likes}", 0.05, "Without length against the plain probe"),
            Claim(f"probe, {likes} and people", f"probe, {likes}", 0.0, "People's labels added, judge likes length"),
            Claim("probe without length, judge of .80", "probe, judge of .80", -0.01, "Without length, random errors"),
        ),
        room=(0.0, 0.95),
        truth="probe, the truth",
    )


def _wordings(found: Found) -> list[Section]:
    def claims(bars: tuple[float, float]) -> tuple[Claim, ...]:
        return (
            Claim("seven, centred", "seven, one wording", bars[0], "Seven wordings, centred, against one"),
            Claim("seven, majority", "seven, one wording", bars[1], "Seven wordings, majority, against one"),
            Claim("three, centred", "three, one wording", bars[1], "Three wordings, centred, against one"),
            Claim("seven, centred", "seven, majority", 0.0, "Centred against the majority, seven"),
            Claim("seven, centred", "seven, mean", 0.0, "Centred against the mean probability, seven"),
            Claim("seven, dawid-skene", "seven, majority", 0.0, "Dawid-Skene against the majority, seven"),
            Claim("two of seven misread, mean", "two of seven misread, centred", 0.0, "Mean against centred, misread"),
        )

    return [
        Section(
            "Several wordings: how many labels are right",
            "One judge is asked in seven wordings, or three, and is more lenient in some (but where *levels "
            "are equal*). `wording_labels` makes one label and a weight of its log-odds. *One wording*: the "
            "mean of every other one. *Centred* takes half of the answers for right.",
            found,
            claims((0.02, 0.01)),
            room=(0.0, 0.99),
            part="labels right",
        ),
        Section(
            "Several wordings: what is learned",
            "AUROC within questions of centred probes on these labels and weights.",
            found,
            claims((0.02, 0.01)),
            part="AUROC",
        ),
    ]


def _preferred(found: Found) -> Section:
    first, few = SEEDS
    return Section(
        "Log-ratios of two models",
        "AUROC within questions. The preference is known of some pairs of a right and a wrong answer; of the "
        "others there is the log-ratio of a trained and an untrained model, right in .665 of the pairs "
        "(*weak*: .58; or with a pull of length). `log_ratio_preferences` makes hard *signs* of it, "
        "*smoothed* ones (SPA), or *soft* preferences whose slope the known pairs tell; `RankedProbe` learns "
        "from pairs.",
        found,
        (
            Claim(f"{first} pairs, ratio, soft", f"{first} pairs", 0.03, f"Log-ratios added to {first} pairs, soft"),
            Claim(f"{few} pairs, ratio, soft", f"{few} pairs", 0.03, f"Log-ratios added to {few} pairs, soft"),
            Claim(f"{first} pairs, ratio, soft", "ratio, itself", 0.0, "The probe against the log-ratio itself"),
            Claim(f"{first} pairs, ratio, soft", f"{first} pairs, ratio, signs", 0.0, "Soft against signs"),
            Claim(
                f"{first} pairs, ratio, signs smoothed", f"{first} pairs, ratio, signs", 0.0, "Smoothed against signs"
            ),
            Claim(
                f"{first} pairs, ratio likes length, soft", f"{first} pairs", 0.0, "Log-ratios that like length, soft"
            ),
            Claim(f"{first} pairs, weak ratio, soft", f"{first} pairs", 0.0, "Weak log-ratios, soft"),
        ),
    )
