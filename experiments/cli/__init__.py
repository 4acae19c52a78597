"""The command line, the commands on one subject a file: options in, one call, an exit code.

``main.py`` gathers the commands and turns errors into one line on standard error. ``commands.toml`` has the help of
every command below its first line, ``options.toml`` the help, flags and bounds of every option, which ``main.py`` puts
beside the types in a command's signature; ``options.py`` reads what was typed. A command imports what it runs inside
its function, so that ``--help`` stays quick. This is the top room: it may import every other, and none imports it.
"""

import typer

from ...models.errors import readable


def say(text: str, *, err: bool = False) -> None:
    """Print a text, and nothing that a terminal would obey: names come from anybody's files."""
    typer.echo(readable(text), err=err)
