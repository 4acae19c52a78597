"""What the page of aspects, routes and gates says of each study."""

from .gaps import GAPS, MEASURES, SHARES
from .page import Claim, Found, Section
from .picks import LIKES, NOISES
from .routed import ASPECTS, OVERALL, ROUTES, WRONG


def aspect_sections(found: list[Found]) -> list[Section]:
    """One a measure of aspects with gaps, one of routes, and two of picks."""
    return [*_gaps(found[0]), _routed(found[1]), *_picks(found[2])]


def _gaps(found: Found) -> list[Section]:
    shares = ", ".join(f"{share:g}" for share in SHARES)
    about = {
        "mAP": f"{GAPS:.0%} of the labels are gaps: *hidden*, if nobody knows which, and they count as negatives, "
        f"or *known*, and `AspectProbes` masks them. The world has six aspects, {shares} of the answers positive. "
        "Here the mean average precision over the aspects.",
        "F1": "At even odds.",
        "recall": "Share of the positives found at even odds.",
        "bias": "How far the mean probability is from the share of positives: lower is better.",
    }
    claims = {
        "mAP": (
            Claim("known, masked", "hidden", 0.01, "Gaps masked against gaps as negatives"),
            Claim("hidden, EM", "hidden", 0.0, "EM (`observed`) against nothing"),
            Claim("hidden, corrected", "hidden", 0.0, "The paper's correction against nothing"),
            Claim("hidden, focal loss", "hidden", 0.0, "The release's focal loss (not in the package)"),
        ),
        "F1": (
            Claim("known, masked", "hidden", 0.1, "Gaps masked against gaps as negatives"),
            Claim("hidden, EM", "hidden", 0.05, "EM (`observed`) against nothing"),
            Claim("hidden, corrected", "hidden", 0.02, "The paper's correction against nothing"),
            Claim("hidden, balanced", "hidden", 0.05, "Balanced classes against nothing"),
            Claim("hidden, focal loss", "hidden", 0.0, "The release's focal loss (not in the package)"),
        ),
        "recall": (Claim("known, masked", "hidden", 0.1, "Gaps masked against gaps as negatives"),),
        "bias": (
            Claim("hidden", "known, masked", 0.02, "How much less it is with gaps masked"),
            Claim("hidden", "hidden, EM", 0.02, "How much less it is by EM"),
            Claim("hidden", "hidden, balanced", 0.0, "How much less it is with balanced classes"),
        ),
    }
    return [
        Section(f"Aspects with gaps: {name}", about[name], found, claims[name], room=(0.0, 0.95), part=name)
        for name in MEASURES
    ]


def _routed(found: Found) -> Section:
    few, more = (f"{n} overall" for n in OVERALL[:2])
    return Section(
        "Routes and aspects",
        f"AUROC within questions of what is right on the whole. {WRONG:.0%} of the aspects' labels are wrong; "
        f"the overall label is known of {OVERALL[0]}, of {OVERALL[1]} or of all answers to learn from. The "
        f"world has {ROUTES} routes, whose {ASPECTS} aspects lie in other directions; the routes of real "
        "questions are their kinds. A router finds them from the state at the end of the prompt for "
        "`AspectProbes`; overall probes by route are told them.",
        found,
        (
            Claim("aspects by route, plain mean", f"{few}, pooled", 0.05, "Plain mean by route against pooled, 60"),
            Claim("aspects, plain mean", f"{few}, pooled", 0.05, "Plain mean without routes against pooled, 60"),
            Claim("aspects by route, plain mean", "aspects, plain mean", 0.0, "Routes, plain mean"),
            Claim(f"{few}, aspects, linear head", f"{few}, pooled", 0.05, "Linear head against pooled, 60"),
            Claim(f"{few}, aspects, linear head", "aspects, plain mean", 0.0, "Linear head against plain mean, 60"),
            Claim(
                f"{more}, aspects by route, linear head",
                "aspects by route, plain mean",
                0.0,
                "Linear head against plain mean, by route, 240",
            ),
            Claim(
                f"{more}, aspects by route, heads by route",
                f"{more}, aspects by route, linear head",
                0.0,
                "Heads by route against one head, 240",
            ),
            Claim(
                f"{more}, aspects by route, linear head", f"{more}, pooled", 0.0, "Aspects by route against pooled, 240"
            ),
            Claim("all overall, by route", "all overall, pooled", 0.03, "Overall probes by route against pooled, all"),
            Claim(
                "all overall, by route",
                "all overall, aspects by route, linear head",
                0.0,
                "Overall probes by route against aspects, all",
            ),
        ),
    )


def _picks(found: Found) -> list[Section]:
    low, high = (f"noise {noise:g}" for noise in NOISES)
    return [
        Section(
            "Gates: what is picked",
            "Usefulness of the best of the candidates (0 where it breaks one of two rules). In the world 30 % "
            "break one, and are the more useful for it. Real answers are useful if they are right; the rules "
            "are two of their facts (*solve*: no words, each step begins with the last result; GSM8K solutions: the "
            f"answer is the last result, a whole number), which a judge likes to be broken (by {LIKES:g} each). Judges "
            f"of the rules have noise of {low[6:]} or {high[6:]}. `gated` first asks for the rules; the *oracle* "
            "knows them.",
            found,
            (
                Claim(f"gated, threshold, {low}", f"mean of all three, {low}", 0.02, "Threshold against the mean"),
                Claim(f"gated, threshold, {low}", "usefulness alone", 0.1, "Threshold against usefulness alone"),
                Claim(f"gated, threshold, {low}", f"gated, geometric, {low}", 0.0, "Threshold against geometric"),
                Claim(
                    f"gated, threshold, {high}",
                    f"mean of all three, {high}",
                    0.0,
                    f"Threshold against the mean, {high}",
                ),
                Claim(f"gated, min, {high}", f"gated, threshold, {high}", 0.0, f"Minimum against threshold, {high}"),
            ),
            room=(0.0, 0.99),
            part="usefulness",
        ),
        Section(
            "Gates: picks that break a rule",
            "Share of the picks; lower is better.",
            found,
            (
                Claim("usefulness alone", f"gated, threshold, {low}", 0.1, "How many fewer by the threshold"),
                Claim(f"mean of all three, {low}", f"gated, threshold, {low}", 0.0, "The same, against the mean"),
                Claim(
                    f"gated, threshold, {high}", f"gated, min, {high}", 0.0, f"How many fewer by the minimum, {high}"
                ),
            ),
            room=(0.0, 0.99),
            part="broken",
        ),
    ]
