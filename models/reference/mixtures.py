"""How much of what the model is trained on, stage by stage, and how much it weighs."""

from __future__ import annotations

#: Loss weight of a word that judges, against 1 for other words of the assistant.
VERDICT_WEIGHT = 5.0
#: How often each form of each job is drawn in the first stage; see the functions of the same name in ``corpus``.
MIXTURE = {
    "solve": 40,
    "rate_direct": 12,
    "rate_marked": 10,
    "rate_reasoned": 6,
    "verdict_direct": 8,
    "verdict_reasoned": 4,
    "choose_option": 20,
    "choose_letter": 1.5,
    "choose_reasoned": 1,
}
#: The second stage dwells on judging, which needs arithmetic that is already sure.
JUDGING_MIXTURE = {
    "solve": 24,
    "rate_direct": 8,
    "rate_marked": 30,
    "rate_reasoned": 10,
    "verdict_direct": 8,
    "verdict_reasoned": 4,
    "choose_option": 5,
    "choose_letter": 4,
    "choose_line": 6,
    "choose_reasoned": 1,
}
#: The last stage asks for verdicts and letters most.
LAST_MIXTURE = {
    "solve": 30,
    "rate_direct": 14,
    "rate_marked": 20,
    "rate_reasoned": 5,
    "verdict_direct": 8,
    "verdict_reasoned": 3,
    "choose_option": 7,
    "choose_letter": 7,
    "choose_line": 5,
    "choose_reasoned": 1,
}
#: The stage of letters keeps a third of the rest, so that it is not forgotten.
LETTER_MIXTURE = {
    "solve": 10,
    "rate_direct": 7,
    "rate_marked": 4,
    "rate_reasoned": 2,
    "verdict_direct": 6,
    "verdict_reasoned": 1,
    "choose_option": 12,
    "choose_letter": 38,
    "choose_line": 20,
}
#: The beginning of the first stage, in which copying and arithmetic are learnt before judging.
EARLY_MIXTURE = {"solve": 60, "rate_marked": 15, "choose_option": 25}
#: Loss weight of the worked solution that a user's turn holds: it teaches arithmetic at no further cost.
SOLUTION_WEIGHT = 0.5
#: Loss weight of an option named by its text: few words that must be learnt from a long prompt.
OPTION_WEIGHT = 3.0
#: Mixtures that a later stage can be asked for by name.
STAGES = {"judging": JUDGING_MIXTURE, "last": LAST_MIXTURE, "letters": LETTER_MIXTURE}
