import re
from random import Random

import pytest
from innerjudge.models.reference import choose, rate, solve
from innerjudge.models.reference.solve import write
from innerjudge.models.reference.training import corpus, simulated
from innerjudge.models.reference.training.measure import load
from innerjudge.models.reference.training.mixtures import KEY_WEIGHT, LETTER_WEIGHT
from innerjudge.models.reference.words import CAPITALS, HELD_OUT_SEED, KINDS, OPPOSITES, YOUNG, is_held_out

HELD = HELD_OUT_SEED


@pytest.mark.parametrize("make", [solve.problems, simulated.traces, rate.ratings, choose.choices, choose.synthetic])
@pytest.mark.parametrize("seed", [3, HELD + 3])
def test_generators_are_deterministic(make, seed):
    assert make(40, seed=seed) == make(40, seed=seed)
    assert make(40, seed=seed) != make(40, seed=seed + 1)
    ids = [getattr(x, "id", getattr(x, "question_id", None)) for x in make(40, seed=seed)]
    assert len(ids) == 40
    assert len(set(ids)) == 40


def test_held_out_problems_never_appear_in_training():
    trained = {p.prompt for seed in range(30) for p in solve.problems(300, seed=seed)}
    held = {p.prompt for p in solve.problems(1000, seed=HELD)}
    assert not trained & held
    assert all(is_held_out(p) for p in held)
    assert not any(is_held_out(p) for p in trained)
    trained_choices = {c.question + "|" + "|".join(c.options) for s in range(10) for c in simulated.mixed(300, seed=s)}
    assert not trained_choices & {c.question + "|" + "|".join(c.options) for c in choose.choices(1000, seed=HELD)}


def test_training_examples_hold_no_held_out_problem():
    users = " \n".join(e.user for e in corpus.examples(1500, seed=4))
    assert not any(p.prompt + "\n" in users for p in solve.problems(800, seed=HELD + 1))


def independent_answer(prompt: str) -> int:
    numbers = [int(x) for x in re.findall(r"\d+", prompt)]
    if prompt.startswith("Buy"):
        return sum(a * b for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    if not re.match(r"Start|Begin|Take the number", prompt):
        return sum(numbers)
    first, *rest = [s for s in re.split(r"[.?] ?", prompt) if re.search(r"\d", s)]
    value = int(re.findall(r"\d+", first)[0])
    for sentence in rest:
        number = int(re.findall(r"\d+", sentence)[0])
        if re.search("Times|Multiply", sentence):
            value *= number
        elif re.search("[Tt]ake|Minus", sentence):
            value -= number
        else:
            value += number
    return value


def test_answers_are_right_by_an_independent_reading():
    for problem in solve.problems(1500, seed=HELD + 2):
        assert str(independent_answer(problem.prompt)) == problem.answer, problem.prompt


def test_traces_say_what_they_are():
    made = simulated.traces(1500, seed=7)
    assert 0.55 < sum(bool(t.correct) for t in made) / len(made) < 0.85
    for t in made:
        assert solve.final_answer(t.response) == t.answer
        assert t.correct == (str(independent_answer(t.prompt)) == t.answer)
        if all(t.extra["sound"]):
            assert t.correct
            assert all(eval(f.replace("=", "==")) for f in t.extra["formulas"])
        verdict = re.search("</think>(ok|slip) ", t.response)
        assert not verdict or (verdict.group(1) == "ok") == t.correct


def test_one_problem_has_many_right_traces():
    """Right traces must not be told from wrong ones by being the one likely text."""
    for problem in solve.problems(50, seed=HELD):
        rng, texts = Random(0), set()
        for _ in range(40):
            steps = solve.work(problem, rng, lambda *_: False)
            texts.add("".join(write(step, rng) for step in steps))
        assert len(texts) > 8


@pytest.mark.parametrize(
    ("text", "answer"),
    [("<think>a</think>12", "12"), ("<think>a</think>ok 12<|end|>", "12"), ("<think>a</think> slip 7 ", "7")]
    + [(t, None) for t in ("12", "<think>1", "<think>1</think>", "<think>1</think>ok", "<think>1</think>1 2")],
)
def test_final_answer(text, answer):
    assert solve.final_answer(text) == answer


def test_quality_counts_the_mistakes_that_the_text_shows():
    items = rate.ratings(800, seed=HELD + 3)
    assert all(len(r.scores) == 3 and set(r.scores) <= {1.0, 2.0, 3.0, 4.0, 5.0} for r in items)
    assert all("ok" not in r.response and "<think>" not in r.response for r in items)
    flawless = [r for r in items if r.extra["quality"] == 5]
    assert 0.42 < len(flawless) / len(items) < 0.58
    for r in flawless:
        assert r.response.endswith(f"So {independent_answer(r.prompt)}.")
        assert all(eval(f.replace("=", "==")) for f in re.findall(r"\d+[-+*]\d+=\d+", r.response))
    by_quality = {q: [r.mean_score for r in items if r.extra["quality"] == q] for q in range(1, 6)}
    means = [sum(v) / len(v) for _, v in sorted(by_quality.items())]
    assert means == sorted(means)
    assert max(len([x for x in items if x.group == r.group]) for r in items[:20]) == 4


def test_choices_have_one_right_option():
    kinds = {word: kind for kind, words in KINDS.items() for word in words}
    assert len(kinds) == sum(map(len, KINDS.values()))
    opposite = OPPOSITES | {b: a for a, b in OPPOSITES.items()}
    for c in choose.choices(800, seed=HELD + 4) + simulated.mixed(400, seed=2):
        assert len(set(c.options)) == len(c.options)
        words = [o.split()[-1] for o in c.options]
        word, task = words[c.answer], c.extra["task"]
        asked = re.sub(r"[?']", "", c.question).split()
        if task == "kind":
            kind = c.question.removeprefix("Which is a kind of ").rstrip("?")
            assert [w for w in words if kinds[w] == kind] == [word]
        elif task == "capital":
            assert CAPITALS[asked[-1]] == word
        elif task == "opposite":
            assert opposite[asked[-1]] == word
        elif task == "young":
            assert YOUNG[asked[4]] == word
        elif task == "sum":
            a, b = (int(x) for x in re.findall(r"\d+", c.question))
            assert int(word) == (a * b if "times" in c.question else a + b)
        else:
            assert asked[-1] == word
    answers = [c.answer for c in choose.choices(800, seed=HELD + 4)]
    assert all(150 < answers.count(i) < 250 for i in range(4))


def test_keys_tell_what_each_option_would_answer():
    seen = set()
    for c in simulated.mixed(600, seed=5):
        for key, option in zip(c.extra["keys"], c.options, strict=True):
            word, task = option.split()[-1], c.extra["task"]
            if task == "kind":
                assert word in KINDS[key]
            elif task in ("capital", "young"):
                assert (CAPITALS if task == "capital" else YOUNG)[key] == word
            elif task == "opposite":
                assert OPPOSITES.get(key) == word or OPPOSITES.get(word) == key
            elif task == "sum":
                assert eval(key.replace("times", "*").replace("plus", "+")) == int(option)
            else:
                assert key == option
            seen.add(task)
        assert c.extra["keys"].count(c.extra["keys"][c.answer]) == 1
    assert seen == {*choose.KNOWLEDGE, "synthetic"}


def test_only_the_whole_line_tells_the_option():
    """Words of rival options stand before the last word, which decides."""
    misled = 0
    for c in choose.choices(300, seed=HELD + 6, synthetic_share=0.0):
        if c.extra["task"] != "phrase":
            right = c.options[c.answer].split()[-1]
            misled += any(right in o.split()[:-1] for o in c.options)
    assert misled > 15


@pytest.mark.parametrize("form", ["choose_option", "choose_marked", "choose_letter"])
def test_pointers_stand_at_the_cue_and_the_end_of_the_right_line(form):
    tokenizer = load()[1]
    drawn = corpus.examples(40, seed=6, mixture={form: 1})
    for example, coded in zip(drawn, corpus.encode(drawn, tokenizer), strict=True):
        pieces = [tokenizer.decode([token]) for token in coded.ids]
        assert pieces[coded.cue - 1 : coded.cue + 1] == ["Answer", ":"]
        assert pieces[coded.option_end] == "\n"
        line = "".join(pieces[: coded.option_end]).rpartition("\n")[2]
        said = example.assistant.removeprefix("Answer: ")
        assert said in (line.partition(". ")[2], line.partition(". ")[0])


def test_keys_weigh_in_the_loss_of_marked_examples_alone():
    tokenizer = load()[1]
    for form, weighed in (("choose_marked", True), ("choose_option", False)):
        coded = list(corpus.encode(corpus.examples(60, seed=7, mixture={form: 1}), tokenizer))
        before = [w for one in coded for w in one.weights[: one.cue - 1]]
        assert (KEY_WEIGHT in before) == weighed
        assert set(before) <= ({0.0, KEY_WEIGHT, LETTER_WEIGHT} if weighed else {0.0})


def test_synthetic_goes_up_to_22_options():
    assert {len(c.options) for c in choose.synthetic(5, seed=HELD, n_options=22)} == {22}


def test_panel_is_noisy_around_the_truth():
    scores = [s for k in range(500) for s in rate.panel(3, Random(k))]
    assert abs(sum(scores) / len(scores) - 3) < 0.1
    assert len(set(scores)) > 3
