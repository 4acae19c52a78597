"""Judges on disk: a JSON header and safetensors, never a pickle."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as dump_arrays

from ..extraction.provenance import Provenance
from ..models.errors import InnerjudgeError
from .judge import BaseJudge
from .registry import how_to_get, origin_of, registered_judges

#: Version of the folder's layout.
FORMAT = 1

_HEADER, _ARRAYS = "judge.json", "judge.safetensors"


def save(judge: BaseJudge, folder: str | Path) -> None:
    """Write ``judge.safetensors`` and then ``judge.json``; a folder with the JSON is complete.

    Args:
        judge: Fitted or not.
        folder: Made where it does not exist; a judge in it is replaced.

    Raises:
        InnerjudgeError: If the class is not registered, see :func:`.register_judge`.

    Example:
        >>> import tempfile
        >>> from innerjudge.probes import LAGER, load, save
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(LAGER(norm=True), folder)
        ...     print(load(folder))
        LAGER(norm=True)
    """
    name = type(judge).__name__
    if registered_judges().get(name) is not type(judge):
        raise InnerjudgeError(
            f"given a {name} to save, which is not registered and could not be loaded, expected one of "
            f"{', '.join(registered_judges())}: call register_judge({name}) first"
        )
    state = {a: getattr(judge, a) for a in judge.fitted if hasattr(judge, a)}
    params = judge.get_params()
    arrays = {a: np.ascontiguousarray(v) for a, v in state.items() if isinstance(v, np.ndarray)}
    blob = dump_arrays(arrays)
    header = {
        "format": FORMAT,
        "innerjudge": version("innerjudge"),
        "judge": name,
        "origin": origin_of(type(judge)),
        "params": {name: _plain(value) for name, value in params.items()},
        "tuples": [name for name, value in params.items() if isinstance(value, tuple)],
        "fitted": {a: v for a, v in state.items() if a not in arrays},
        "arrays": {"names": sorted(arrays), "sha256": hashlib.sha256(blob).hexdigest()},
        "provenance": None if judge.provenance_ is None else judge.provenance_.to_json(),
    }
    text = json.dumps(header, ensure_ascii=False, indent=1, allow_nan=False)
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    (path / _HEADER).unlink(missing_ok=True)  # from here until the end the folder is visibly incomplete
    (path / _ARRAYS).write_bytes(blob)
    temporary = path / f"{_HEADER}.tmp"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path / _HEADER)


def load(folder: str | Path) -> BaseJudge:
    """Inverse of :func:`save`: the same parameters, provenance and scores.

    Raises:
        InnerjudgeError: If the folder holds no complete judge of this layout, or its class is unknown.
    """
    path = Path(folder)
    if not (path / _HEADER).is_file():
        raise InnerjudgeError(f"given {str(path)!r}, expected a folder with {_HEADER}: run `innerjudge fit`")
    try:
        header = json.loads((path / _HEADER).read_text(encoding="utf-8"))
        if header["format"] != FORMAT:
            raise InnerjudgeError(
                f"given {str(path)!r} with format {header['format']}, expected format {FORMAT}: fit it again with this "
                "version"
            )
        name = header["judge"]
        if not isinstance(name, str) or name not in registered_judges():
            raise InnerjudgeError(
                f"given {str(path)!r} with the judge {name!r}, which is not known here, expected one of "
                f"{', '.join(registered_judges())}: {how_to_get(name, header.get('origin'))}"
            )
        blob = (path / _ARRAYS).read_bytes()
        if hashlib.sha256(blob).hexdigest() != header["arrays"]["sha256"]:
            raise ValueError(f"{_ARRAYS} is not the file that {_HEADER} was written with")
        return _restored(header, load_arrays(blob))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise InnerjudgeError(
            f"given {str(path)!r}, expected a saved judge, but it cannot be read ({type(error).__name__}: {error}): "
            "fit it again"
        ) from error


def _restored(header: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> BaseJudge:
    params = {k: tuple(v) if k in header["tuples"] else v for k, v in header["params"].items()}
    judge = registered_judges()[header["judge"]](**params)
    state = {a: _tuples(v) for a, v in header["fitted"].items()} | arrays
    if sorted(arrays) != header["arrays"]["names"] or not state.keys() <= set(judge.fitted):
        raise ValueError(f"unexpected fitted attributes {sorted(state)}")
    for name, value in state.items():
        setattr(judge, name, value)
    if header["provenance"] is not None:
        judge.provenance_ = Provenance.from_json(header["provenance"])
    return judge


def _plain(value: Any) -> Any:
    """A parameter as JSON has it: numbers and arrays of numpy as those of Python."""
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
