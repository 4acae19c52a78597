"""One loaded model for all its judges in a process, and a lock that says whose turn it is to run it."""

import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from torch import nn

from ...extraction.provenance import Provenance
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel, load

#: What :func:`~innerjudge.load` takes as the type of weights; other types (quantised weights) come as they are stored.
_DTYPES = ("float32", "bfloat16", "float16")
_loaded: WeakValueDictionary[tuple[str | None, ...], LanguageModel] = WeakValueDictionary()
_loading = threading.Lock()
_turns: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_making_turns = threading.Lock()


def shared_model(
    made_with: Provenance, *, device: str = "auto", dtype: str = "auto", trust_remote_code: bool = False
) -> LanguageModel:
    """The model behind a provenance, loaded once: it stays in memory as long as something holds it.

    Options are those of :func:`~innerjudge.load`; ``dtype="auto"`` is that of the provenance.
    """
    wanted = dtype if dtype != "auto" or made_with.dtype not in _DTYPES else made_with.dtype
    key = (made_with.model, made_with.revision, made_with.attention, device, wanted, str(trust_remote_code))
    with _loading:  # a second thread that wants it waits for the first, and does not load it again
        found = _loaded.get(key)
        if found is None:
            own: Any = {"revision": made_with.revision, "attn_implementation": made_with.attention}
            try:
                found = load(made_with.model, device=device, dtype=wanted, trust_remote_code=trust_remote_code, **own)
            except InnerjudgeError as error:
                raise InnerjudgeError.of("judges.moved-model", made_with.model, error) from error
            _loaded[key] = found
        return found


def turn(lm: LanguageModel) -> threading.RLock:
    """The lock of a model. One thread at a time runs it: each would hold a batch, and generating changes its config."""
    with _making_turns:
        return _turns.setdefault(lm.model, threading.RLock())
