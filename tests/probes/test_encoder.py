"""The Transformer head beside torch's own encoder, its sizes beside those of the papers, and what it cannot see."""

import numpy as np
import pytest
import torch
from innerjudge.extraction import Features, Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import PooledProbe
from innerjudge.probes.encoder import Encoder

NAME = "hidden/before_step.none[-1]"


def small(**options):
    return Encoder(**{"widths": (8,), "depth": 2, "attention": 2, "causal": False, "dropout": 0.0, "heads": 1,
                      "how": "mean", "window": 1, **options})  # fmt: skip


def made(head, counts=(3, 1, 5), width=6):
    generator = torch.manual_seed(0)
    return head.start(width, generator), torch.randn(sum(counts), width, generator=generator), torch.tensor(counts)


def test_sizes_are_those_of_the_papers_descriptions():
    # HSRM, states of 2,048: 2048*256+256 in, two layers of 256*1024+1024 + 1024*256+256 + 4*(256*256+256) + 4*256,
    # a norm of 512 and 257 out: 2,104,833. Of 2,560 and 4,096 as well.
    for width, weights in ((2048, 2_104_833), (2560, 2_235_905), (4096, 2_629_121)):
        assert PooledProbe(layers=2, widths=[256]).sizes({"width": width})["weights"] == weights
    # Its four rows side by side are 8,192 numbers.
    assert PooledProbe(layers=2, widths=[256], rows=[-5, -4, -3, -1]).sizes({"width": 2048})["weights"] == 3_677_697


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_encoder_of_torch(causal):
    """Each item alone and unpadded through ``torch.nn.TransformerEncoder`` with the same weights."""
    head = small(causal=causal)
    weights, x, counts = made(head)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    read, norm, say = torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 1)
    parts = [*read.parameters(), *norm.parameters(), *encoder.parameters(), *say.parameters()]
    torch.nn.utils.vector_to_parameters(weights, parts)
    mask = torch.nn.Transformer.generate_square_subsequent_mask
    seen = [encoder(read(one)[None], mask=mask(len(one)) if causal else None)[0] for one in x.split(counts.tolist())]
    alone = torch.cat([say(norm(one)) for one in seen])
    means = torch.stack([say(norm(one.mean(dim=0))) for one in seen]).squeeze()
    for learning in (True, False):  # in a padded batch, and one by one
        with torch.set_grad_enabled(learning):
            torch.testing.assert_close(head.outputs(weights, x, counts), alone.detach(), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(head.pooled(weights, x, counts), means.detach(), atol=1e-5, rtol=1e-5)


def test_what_follows_a_step_does_not_change_its_score():
    """The mask of ReProbe's released code hides nothing, and would fail this."""
    for causal, same in ((True, True), (False, False)):
        head = small(causal=causal, how="min")
        weights, x, _ = made(head)
        short, long = (head.outputs(weights, x[:n], torch.tensor([n])) for n in (4, 9))
        assert torch.allclose(short, long[:4], atol=1e-6) is same


def sequences(n=80, *, seed=0):
    """Items of several states, of which right ones have two of one sign in one place: no state alone tells."""
    rng = np.random.default_rng(seed)
    right = np.arange(n) % 2 == 0
    rows = []
    for good in right:
        first = rng.choice([-2.0, 2.0])
        x = rng.normal(size=(rng.integers(2, 6), 1, 6)) * 0.1
        x[0, 0, 0], x[-1, 0, 1] = first, first if good else -first
        rows.append(x)
    groups = [f"q{k // 4}" for k in range(n)]
    return Features.from_arrays({NAME: Ragged.of(rows)}, provenance="m", groups=groups), right


@pytest.mark.parametrize("loss", ["bce", "pairwise", "listwise"])
def test_it_learns_what_no_state_tells_alone(loss):
    how = {"role": "before_step", "loss": loss, "standardise": False, "learning_rate": 3e-3, "patience": 30}
    unseen, right = sequences(seed=1)
    found = []
    for layers, widths in ((1, [32]), (0, [])):
        probe = PooledProbe(**how, layers=layers, widths=widths, dropout=0.0, epochs=60).fit(*sequences())
        scores = probe.decision_function(unseen)
        found.append(np.mean(scores[right][:, None] > scores[~right]))
    assert found[0] > 0.9
    assert found[1] < 0.7


def test_the_same_seed_drops_the_same_numbers():
    torch.manual_seed(1)
    first, again, other = (
        PooledProbe(role="before_step", layers=1, widths=[8], dropout=0.5, seed=s, epochs=2).fit(*sequences()).weights_
        for s in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("wrong", [{}, {"widths": [6]}, {"widths": [8, 8]}, {"widths": [8], "dropout": 1.0}])
def test_parameters_are_checked(wrong):
    with pytest.raises(InnerjudgeError, match="a multiple of attention"):
        PooledProbe(**{"layers": 1, "widths": (), **wrong})
