"""How much of each kind of example the model is trained on, from first to last, and the loss weights."""

#: Loss weight of a word that judges, against 1 for other words of the assistant.
VERDICT_WEIGHT = 5.0
#: Loss weight of the worked solution that a user's turn holds: it teaches arithmetic at no further cost.
SOLUTION_WEIGHT = 0.5
#: Loss weight of an option named by its text: few words that must be learnt from a long prompt.
OPTION_WEIGHT = 3.0
#: Loss weights of the keys written under option lines, and of those lines' letters (``choose_marked`` only).
KEY_WEIGHT, LETTER_WEIGHT = 2.0, 0.3
#: Share of the updates that come from the early mixture.
EARLY_SHARE = 0.25
#: How often each form of each job is drawn in the beginning, in which copying, arithmetic and options are learnt; see
#: the functions of the same name in ``corpus``.
EARLY_MIXTURE = {"solve": 40, "rate_marked": 18, "choose_option": 28, "choose_marked": 14}
#: The rest of the training asks for verdicts, and hardly ever for letters.
MIXTURE = {
    "solve": 30,
    "rate_marked": 20,
    "rate_direct": 12,
    "rate_reasoned": 6,
    "verdict_direct": 9,
    "verdict_reasoned": 3,
    "choose_option": 16,
    "choose_marked": 3,
    "choose_letter": 0.1,
    "choose_reasoned": 0.3,
}
