import json

import pytest
import torch
from innerjudge.models.prompts import choice_prompt, rating_prompt
from innerjudge.models.reference import WEIGHTS, choose, rate, solve
from innerjudge.models.reference.training.card import card
from innerjudge.models.reference.training.measure import load
from innerjudge.models.reference.training.passes import label_ids
from innerjudge.models.reference.training.pointing import BLOCK, HEAD, Pointer
from innerjudge.models.reference.training.sampling import replies, sampled_traces
from innerjudge.models.reference.training.tokenizer import render
from innerjudge.models.reference.training.train import train
from innerjudge.models.reference.words import HELD_OUT_SEED
from scipy.stats import spearmanr
from transformers import AutoModelForCausalLM, AutoTokenizer

HELD = HELD_OUT_SEED + 50_000


@pytest.fixture(scope="module")
def reference():
    return load()


def test_folder_is_small_and_complete():
    names = {f.name for f in WEIGHTS.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert {"tokenizer_config.json", "chat_template.jinja", "training.json", "measure.json"} <= names
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) <= 10_000_000


def test_architecture_is_modern(reference):
    config = reference[0].config
    assert config.num_hidden_layers >= 6
    assert config.num_key_value_heads < config.num_attention_heads
    assert config.max_position_embeddings >= 512
    assert reference[0].dtype == torch.float32


def test_markers_and_labels_are_single_tokens(reference):
    _, tokenizer = reference
    for text in ("<think>", "</think>", "<|end|>", "<|user|>", "<|assistant|>"):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == 1
    ids = tokenizer("<think>12</think>ok 12")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think>12</think>ok 12"
    assert len(set(label_ids(tokenizer, [*"12345", "yes", "no", *"ABCDEFGH"]))) == 15
    assert tokenizer.tokenize("137*25") == ["1", "3", "7", "*", "2", "5"]


def test_text_survives_the_tokenizer(reference):
    _, tokenizer = reference
    for text in ("Naïve café: 3½ µm → 日本 🙂\n\n  end", "a  b\tc\r\n"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_chat_template_is_what_was_trained(reference):
    _, tokenizer = reference
    chat = [{"role": "user", "content": "1+1?"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == render("1+1?")
    assert tokenizer("hi")["input_ids"] == tokenizer("hi", add_special_tokens=False)["input_ids"]


def test_generation_stops_by_itself(reference):
    model, tokenizer = reference
    config = model.generation_config
    assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert not config.do_sample


def test_accuracies_on_a_few_held_out_items(reference):
    model, tokenizer = reference
    traces = sampled_traces(model, tokenizer, solve.problems(64, seed=HELD), k=1, seed=0)
    assert 0.3 < sum(bool(t.correct) for t in traces) / 64 < 0.9
    items = choose.choices(64, seed=HELD)
    asked = [render(choice_prompt(c.question, c.options, reply="option").user) for c in items]
    said = replies(model, tokenizer, asked, longest=20)
    assert sum(t == f"Answer: {c.options[c.answer]}" for t, c in zip(said, items, strict=True)) / 64 > 0.6
    rated = rate.ratings(96, seed=HELD)
    prompts = [render(rating_prompt(r.prompt, r.response, reasoned=True).user) for r in rated]
    scores = [int(text.rpartition("</think>Score: ")[2] or 0) for text in replies(model, tokenizer, prompts)]
    assert set(scores) <= set(range(6))
    assert spearmanr(scores, [r.extra["quality"] for r in rated]).statistic > 0.2


def test_card_is_up_to_date():
    training, figures, config = (
        json.loads((WEIGHTS / n).read_text()) for n in ("training.json", "measure.json", "config.json")
    )
    trials = json.loads((WEIGHTS.parent / "training" / "trials.json").read_text())
    assert (WEIGHTS / "README.md").read_text() == card(training, figures, config, trials)


def test_pointing_is_the_attention_weight_of_one_head():
    """The reward is ``-log`` of what transformers' eager attention returns for that head."""
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS, attn_implementation="eager")
    pointer = Pointer(model)
    ids = torch.randint(5, 500, (4, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weights = model(input_ids=ids, output_attentions=True).attentions[BLOCK - 1][:, HEAD]
        pointers = torch.tensor([[29, 7], [-1, -1], [20, 20], [11, 0]])
        expected = -torch.stack([weights[0, 29, 7], weights[2, 20, 20], weights[3, 11, 0]]).log().mean()
        torch.testing.assert_close(pointer.loss(pointers), expected, rtol=1e-5, atol=1e-6)
        assert pointer.loss(torch.full((4, 2), -1)) == 0


def test_training_writes_a_folder_that_loads(tmp_path, capsys):
    train(tmp_path / "new", seed=1, steps=3, tokens=512)
    assert "step 3/3" in capsys.readouterr().out
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "new")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "new")
    assert model.config.vocab_size == len(tokenizer)
    assert len(json.loads((tmp_path / "new" / "training.json").read_text())["curve"]) == 3
