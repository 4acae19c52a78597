"""The command line ``innerjudge``: its commands stand in the files beside this one."""

import sys
import warnings
from _thread import interrupt_main
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import metadata
from inspect import Parameter, Signature, signature
from itertools import pairwise
from threading import Timer
from typing import Annotated, Any, NoReturn, cast

import typer

from ...models.errors import InnerjudgeError, readable
from ..runs.loading import Model
from ..runs.log import JsonLines, LogStyle
from . import options as o, say
from .bench import bench
from .compare import agree, compare, doctor, judges
from .extract import extract, fit, sweep, verify_states
from .plan import label, look, models, plan
from .score import ask, rank, sample, score
from .select import curves, select
from .serve import serve
from .store import store_app
from .study import diff, study

app = typer.Typer(
    name="innerjudge",
    help="Judge language-model output from the model's inside, and compare with what it says in text.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _complete(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with the words of its options, and with the options that every command takes, where it lacks them.

    A parameter that is a model becomes the options that name one. :func:`main` looks at ``--log``.
    """
    own = signature(command).parameters
    taken: dict[str, tuple[Any, Any]] = {}
    for name, one in own.items():
        of_model = o.OF_MODEL if one.default is one.empty else o.OF_MODEL | {"model": (str | None, None)}
        taken |= of_model if one.annotation is Model else {name: (one.annotation, one.default)}
    idle = o.IDLE.keys() - taken.keys() if command in (fit, sweep, bench, models) else set()
    taken |= {name: one for name, one in o.IDLE.items() if name in idle}
    taken |= {} if {"log", "log_style"} & taken.keys() else {"log": (LogStyle, "auto")}

    @wraps(command)
    def called(**given: Any) -> Any:
        if "on" in own:
            named = {name: given.pop(name) for name in o.OF_MODEL}
            given["on"] = Model(named.pop("model"), modules=o.modules(named.pop("module")), **named)
        return command(**{name: value for name, value in given.items() if name in own})

    made = []
    for name, (kind, default) in taken.items():
        told = kind if kind is typer.Context else o.option("idle" if name in idle else command.__name__, name, kind)
        made.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=told))
    called.__doc__ = f"{command.__doc__}\n\n{o.BELOW[command.__name__]}"
    called.__annotations__ = {one.name: one.annotation for one in made}
    vars(called)["__signature__"] = Signature(made)
    return called


for _command in (
    *(extract, fit, score, rank, sample, ask, select, curves, look, label, plan, study, diff),
    *(bench, serve, sweep, compare, judges, agree, doctor, models, verify_states),
):
    app.command(_command.__name__.partition("_")[0])(_complete(_command))
for _stored in store_app.registered_commands:
    _stored.callback = _complete(cast(Any, _stored.callback))
app.add_typer(store_app, name="store")
#: Commands that keep what is done, and go on when they are typed again.
_GO_ON = ("compare", "study", "extract", "label", "score", "rank", "sample", "ask", "sweep")


def _tell_version(asked: bool) -> None:
    if asked:
        say(f"innerjudge {metadata.version('innerjudge')}")
        raise typer.Exit


@app.callback()
def _innerjudge(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    del version


def main() -> None:
    """Entry point: whatever was given wrong is one line on standard error and exit code 2."""
    if "--log=json" in sys.argv or ("--log", "json") in pairwise(sys.argv):
        sys.stderr = JsonLines(sys.stderr)
    warnings.formatwarning = lambda message, *_at, **_line: f"innerjudge: {readable(str(message))}\n"  # without code
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _interrupt_again
    try:
        code = app(_arguments(sys.argv[1:]) or ["--help"], prog_name="innerjudge", standalone_mode=False)
    except InnerjudgeError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        named = f"{str(error.filename)!r}" if error.filename is not None else "a file or folder"
        _fail(
            f"given {named}, which cannot be read or written ({error.strerror or error}), expected one that can: check "
            "its path and its permissions",
            2,
        )
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        # Complaints about options; typer brings a click of its own, so their class has no public name.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        option = getattr(error, "option_name", None)
        if option in ("--data", "--model") and context and context.info_name in ("fit", "sweep"):
            _fail(f"given {option}, expected --features: `innerjudge extract` reads data once, into --out", 2)
        about = context.command_path if context is not None else "innerjudge"
        said = error.format_message().replace("Value error, ", "").rstrip(".") + _given(error)
        said += ", expected its option in front, such as --data or --model" if "extra argument" in said else ""
        if "No such option" in said and context and context.info_name == "fit":
            said += (
                f", expected a parameter of the judge as --set {str(option).lstrip('-')}=VALUE, or one of the command"
            )
        _fail(f"{said}. See `{about} --help`.", 2)
    if code == 130:
        goes_on = next((one for one in sys.argv[1:] if not one.startswith("-")), "") in _GO_ON
        _fail(f"stopped{'; type the same command again, and it goes on' if goes_on else ''}", 130)
    raise SystemExit(code if isinstance(code, int) else 0)


def _interrupt_again(lost: "sys.UnraisableHookArgs") -> None:
    """Interrupt once more if Ctrl-C fell into a destructor or a weak reference's callback, where Python drops it."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        Timer(0.05, interrupt_main).start()  # Later: here it would be dropped as well.
    else:
        sys.__unraisablehook__(lost)


def _arguments(typed: Sequence[str]) -> list[str]:
    """What was typed, with ``--ray`` without an address written out: typer knows no option of an optional value."""
    following = [*typed, "--"][1:]
    bare = [one == "--ray" and then.startswith("-") for one, then in zip(typed, following, strict=True)]
    return [f"{one}=local" if alone else one for one, alone in zip(typed, bare, strict=True)]


def _given(error: Exception) -> str:
    """What was typed for the option that an error is about."""
    names = getattr(getattr(error, "param", None), "opts", ())
    typed = next((value for name, value in pairwise(sys.argv) if name in names), None)
    return f" (given {typed!r})" if typed is not None else ""


def _fail(message: str, code: int) -> NoReturn:
    say(f"innerjudge: {' '.join(message.split())}", err=True)
    raise SystemExit(code) from None


if __name__ == "__main__":
    main()
