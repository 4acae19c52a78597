"""The classes of judges, of this package and of others, and judges on disk: a JSON header and safetensors, no pickle.

A class of another package is known once it is given to :func:`register_judge`, or its package is installed with an
entry point in the group ``innerjudge.judges``. A name in a file is looked up here, never imported.
"""

import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points, version
from inspect import isabstract
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from safetensors.numpy import save as dump_arrays

from ..extraction.provenance import Provenance
from ..models import foreign
from ..models.arguments import checked
from ..models.errors import InnerjudgeError, one_line, shown
from ..models.tensor_file import TensorFile
from .description import PRESETS
from .fitted_arrays import check_fitted
from .judge import BaseJudge
from .promise import Promise

#: Entry points of other packages: ``my-judge = my_package.my_module:MyJudge``.
GROUP = "innerjudge.judges"

_Judge = TypeVar("_Judge", bound=type[BaseJudge])
_theirs: dict[str, type[BaseJudge]] = {}


@cache
def _ours() -> dict[str, type[BaseJudge]]:
    """The judges of this package, in the order of reports."""
    package = import_module(__package__)  # which imports this module
    return {name: getattr(package, name) for name in PRESETS["judges"]}


def register_judge(judge: _Judge) -> _Judge:
    """Register a judge class by its name, so that it is saved, loaded, compared and served like those of this package.

    Use it as a decorator for a class in a script or notebook; an earlier class of the same name and module is replaced,
    as when a cell is run again. An installed package names its classes in the entry point group ``innerjudge.judges``
    instead, and need not be imported.

    Raises:
        InnerjudgeError: If it is not a subclass of BaseJudge, has abstract methods left, or its name is taken.

    Example:
        >>> from innerjudge import BaseJudge, register_judge
        >>> @register_judge
        ... class LastLogProb(BaseJudge):
        ...     needs = ("logprob",)
        ...     def _scores(self, features):
        ...         return features["logprob"][:, 0].astype(float)
        ...     def _labels(self, scores, features):
        ...         return [None] * len(scores)
        >>> "LastLogProb" in registered_judges()
        True
    """
    if not (isinstance(judge, type) and issubclass(judge, BaseJudge)) or isabstract(judge):
        raise InnerjudgeError.of("probes.no-judge", judge)
    name = judge.__name__
    known = _ours().get(name) or _theirs.get(name)
    if known is not None and known.__module__ != judge.__module__:
        raise InnerjudgeError.of("probes.name-taken", name, judge.__module__, known.__module__)
    if name not in _ours():
        _theirs[name] = judge
    return judge


def registered_judges() -> Mapping[str, type[BaseJudge]]:
    """All known judge classes by name: those of this package, and then those of others."""
    _load_installed()
    return MappingProxyType(_ours() | _theirs)


def origin_of(judge: type[BaseJudge]) -> dict[str, Any] | None:
    """Where a class of another package comes from, for the message if it is missing; ``None`` for our own."""
    if _ours().get(judge.__name__) is judge:
        return None
    own = f"{judge.__module__}."
    named = (p for p in entry_points(group=GROUP) if p.attr == judge.__name__ and own.startswith(f"{p.module}."))
    found = next(named, None)
    package = None if found is None or found.dist is None else f"{found.dist.name}=={found.dist.version}"
    return {"module": judge.__module__, "package": package}


def how_to_get(name: object, origin: object) -> str:
    """What to install or import, so that a class that a saved judge names is known here."""
    given = origin if isinstance(origin, Mapping) else {}
    if given.get("package"):
        return f"install its package (pip install '{given['package']}')"
    if given.get("module"):
        return f"import the module that defines it ({given['module']}) and call register_judge({name}) first"
    return "call register_judge with its class first, or fit it again with this version"


@cache
def _load_installed() -> None:
    for point in entry_points(group=GROUP):
        try:
            register_judge(point.load())
        except Exception as error:
            warnings.warn(
                f"the judge {point.name!r} ({point.value}) of an installed package is left out, since it cannot be "
                f"imported ({type(error).__name__}: {one_line(error)}): mend or uninstall that package",
                stacklevel=2,
            )


#: Version of the folder's layout.
FORMAT = 3

_HEADER, _ARRAYS = "judge.json", "judge.safetensors"
#: Bytes of the header: its longest part are the questions that a judge with ``balance`` has seen.
_HEADER_LIMIT = 1 << 28


@checked
def save(judge: BaseJudge, folder: str | Path, *, beside: Iterable[str] = ()) -> None:
    """Write ``judge.safetensors`` and then ``judge.json``; a folder with the JSON is complete.

    The folder is created if it does not exist; a judge in it is replaced. The JSON holds its own checksum, and those of
    the arrays and of other files in the folder, ``beside``, that are written already; :func:`load` requires them.
    ``InnerjudgeError`` if the class is not registered (see :func:`.register_judge`), what it has learned is invalid
    (NaN, say), or its promise is for another fit; nothing is written then.

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
        raise InnerjudgeError.of("probes.not-registered", name, ", ".join(registered_judges()))
    check_fitted(judge)
    promise = judge.promised()
    state = {a: vars(judge)[a] for a in judge.fitted if a in vars(judge)}
    params = judge.get_params()
    arrays = {a: np.asarray(v, order="C") for a, v in state.items() if isinstance(v, np.ndarray)}
    blob = dump_arrays(arrays)
    path = Path(folder)
    files = {_ARRAYS: foreign.digest_of_parts([blob])} | {one: foreign.digest_of_file(path / one) for one in beside}
    header = {
        "format": FORMAT,
        "innerjudge": version("innerjudge"),
        "judge": name,
        "origin": origin_of(type(judge)),
        "params": {name: _plain(value) for name, value in params.items()},
        "tuples": [name for name, value in params.items() if isinstance(value, tuple)],
        "fitted": {a: v for a, v in state.items() if a not in arrays},
        "arrays": sorted(arrays),
        "files": files,
        "provenance": None if judge.provenance_ is None else judge.provenance_.to_json(),
        "promise": None if promise is None else promise.to_json(),
    }
    text = foreign.dump_sealed(header)
    path.mkdir(parents=True, exist_ok=True)
    stale = _files_of(path).difference(files)  # of the judge that is replaced
    (path / _HEADER).unlink(missing_ok=True)  # from here until the end the folder is visibly incomplete
    for one in stale:
        (path / one).unlink(missing_ok=True)
    (path / _ARRAYS).write_bytes(blob)
    with foreign.replacing(path / _HEADER) as half:
        half.write_bytes(text)


def _files_of(path: Path) -> set[str]:
    """Files of the judge in a folder, beside its header; none where there is no whole one."""
    try:
        header = foreign.parse_sealed(foreign.read_file(path / _HEADER, _HEADER_LIMIT))
        return {_plain_name(name) for name in header["files"]}
    except (InnerjudgeError, ValueError, TypeError, KeyError):
        return set()


@checked
def load(folder: str | Path, *, beside: Iterable[str] = ()) -> BaseJudge:
    """Inverse of :func:`save`: the same parameters, provenance and scores.

    The caller will trust the files ``beside`` it if they are there: the JSON must have their checksums.
    ``InnerjudgeError`` if the folder holds no complete judge of this layout, its class is unknown, a checksum differs,
    or what it has learned does not fit its parameters.
    """
    path = Path(folder)
    if not (path / _HEADER).exists():
        raise InnerjudgeError(f"given {str(path)!r}, expected a folder with {_HEADER}: run `innerjudge fit`")
    try:
        raw = foreign.parse_json(foreign.read_file(path / _HEADER, _HEADER_LIMIT))
        header = raw if isinstance(raw, dict) else {}
        if header.get("format") != FORMAT:
            raise InnerjudgeError.of("probes.format", str(path), header.get("format"), FORMAT)
        name = header.get("judge")
        if not isinstance(name, str) or name not in registered_judges():
            names, do = ", ".join(registered_judges()), how_to_get(name, header.get("origin"))
            raise InnerjudgeError.of("probes.unknown-judge", str(path), f"{name!r:.60}", names, do)
        header = foreign.unsealed(header)
        files = dict(header["files"])
        for name in {_ARRAYS, *files, *(one for one in beside if (path / one).exists())}:
            one = path / _plain_name(name)
            whole = one.is_file() and one.stat().st_size <= foreign.FILE_LIMIT
            if not whole or foreign.digest_of_file(one) != files.get(name):
                raise ValueError(f"{name} is not the file that {_HEADER} was written with")
        file = TensorFile(path / _ARRAYS)
        params = {k: tuple(v) if k in header["tuples"] else v for k, v in header["params"].items()}
        judge = registered_judges()[header["judge"]](**params)
        arrays = {name: file[name] for name in file.pieces}
        state = {a: _tuples(v) for a, v in header["fitted"].items()} | arrays
        if sorted(arrays) != header["arrays"] or not state.keys() <= set(judge.fitted):
            raise ValueError(f"unexpected fitted attributes {sorted(state)}")
        for name, value in state.items():
            setattr(judge, name, value)
        if header["provenance"] is not None:
            judge.provenance_ = Provenance.from_json(header["provenance"])
        if header.get("promise") is not None:
            judge.promise_ = Promise.from_json(header["promise"])
            judge.promised()
        check_fitted(judge)
        return judge
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InnerjudgeError.of("probes.damaged", shown(path), type(error).__name__, one_line(error)) from error


def _plain_name(name: object) -> str:
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"{name!r:.60} is no name of a file beside it")
    return name


def _plain(value: Any) -> Any:
    """A parameter as JSON has it: numbers and arrays of numpy as those of Python."""
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
