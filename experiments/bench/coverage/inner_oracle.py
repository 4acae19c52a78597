"""Entropies, divergences and labels inside a model and its blocks, held to its states, modules and logits."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ....extraction import Features, Lens, States
from ....extraction.taps.lens import Parts, find_parts
from ....models.loading import LanguageModel
from ....models.observation import states_given, states_taken
from ....models.positions import Encoding
from .oracle import Truth, off

ENTROPY, STREAM = Lens("response"), States("response", "none")
LAST, LABELS = Lens("response", what="divergence_to_last"), Lens("response", what="labels")
PARTS = tuple(Lens("response", at) for at in ("attention", "mlp", "middle"))
APART = tuple(Lens("response", at, "divergence") for at in ("middle", "residual"))


@torch.no_grad()
def entropies(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    """What is predicted behind every block held to the states there, and behind the last to the model's logits."""
    if reasons := features.reasons(ENTROPY.name):
        return next(iter(reasons.values()))
    n = lm.anatomy.n_blocks
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        stream = torch.tensor(features.ragged[STREAM.name][k])[:, 1 : n + 1].movedim(0, 1)
        logits = lm.anatomy.logits(lm.anatomy.normed(stream))
        logits[-1] = last = own.logits[slice(*item.places("response")[0])].float()
        right = {ENTROPY: _entropy(logits), LAST: _divergence(logits, last.expand_as(logits))}
        right[LABELS] = logits[..., list(item.label_ids)]
        for readout, values in right.items():
            if (odd := off(features[readout.name][k], values.mean(1))) is not None:
                return f"WRONG: {readout.what} differs by {odd:.1g}"
    return "pass"


@torch.no_grad()
def parts(lm: LanguageModel, features: Features, items: list[Encoding], _truths: list[Truth]) -> str:
    """Entropies of what attention and MLP add: of modules whose outputs must add up to what a block changes."""
    if reasons := features.reasons(PARTS[0].name):
        return next(iter(reasons.values()))
    found, layout = find_parts(lm.model, lm.anatomy.stream), lm.anatomy.stream.layout
    for k, item in enumerate(items):
        where = slice(*(layout.prefix + at for at in item.places("response")[0]))
        for number, (one, kept) in enumerate(zip(found, _outputs(lm, found, item), strict=True)):
            if not one:
                continue
            block = lm.anatomy.blocks[number]
            given, returned, *added = (
                kept[module].flatten(0, -2)[where] for module in (None, block, one["attention"][0], one["mlp"][0])
            )
            change, both = returned - given, torch.stack([output.flatten() for output in added], dim=1)
            factors = torch.linalg.lstsq(both.double(), change.double().flatten()[:, None]).solution
            if float((change.flatten() - (both @ factors.float())[:, 0]).norm()) > 1e-3 * float(change.norm()):
                return f"WRONG: the parts of block {number + 1} do not add up to its change of the stream"
            middle = given + factors[0].float() * added[0]
            logits = [lm.anatomy.logits(lm.anatomy.normed(states)) for states in (*added, middle, given, returned)]
            right = [_entropy(one).mean() for one in logits[:3]]
            right += [_divergence(logits[2], logits[at]).mean() for at in (3, 4)]
            for readout, own in zip((*PARTS, *APART), right, strict=True):
                if (odd := off(features[readout.name][k, number, None], own[None])) is not None:
                    return f"WRONG: {readout.what} of {readout.at} in block {number + 1} differs by {odd:.1g}"
    whole = sum(map(bool, found))
    return "pass" if whole == len(found) else f"{whole} of {len(found)} blocks add attention and MLP to the stream"


def _outputs(lm: LanguageModel, found: Sequence[Parts], item: Encoding) -> list[dict[nn.Module | None, Tensor]]:
    """What every block took (``None``) and gave, and what its parts gave, in a plain pass."""
    kept: list[dict[nn.Module | None, Tensor]] = []

    def take(module: Any, args: Any, kwargs: Any) -> None:
        states = states_taken(module, args, kwargs)
        kept.append({} if states is None else {None: states})

    def keep(module: Any, _args: Any, output: Any) -> None:
        states = states_given(module, output)
        if kept and states is not None:
            kept[-1][module] = states

    blocks = dict.fromkeys(lm.anatomy.blocks)
    modules = dict.fromkeys(module for one in found for module, _ in one.values())
    handles = [block.register_forward_pre_hook(take, with_kwargs=True) for block in blocks]
    handles += [module.register_forward_hook(keep) for module in (*modules, *blocks)]
    lm.model(torch.tensor([item.ids]), use_cache=False)
    for handle in handles:
        handle.remove()
    return kept


def _entropy(logits: Tensor) -> Tensor:
    logs = logits.double().log_softmax(-1)
    return -(logs.exp() * logs).nan_to_num(0.0).sum(-1)


def _divergence(one: Tensor, other: Tensor) -> Tensor:
    p, q = (logits.double().softmax(-1) for logits in (one, other))
    parts: list[Tensor] = [torch.special.xlogy(own, 2 * own / (p + q)) for own in (p, q)]
    return torch.stack(parts).nan_to_num(0.0).sum((0, -1)) / 2
