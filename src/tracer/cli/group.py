"""The command group: how settings reach a command, and how refusals are told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tracer import __version__
from tracer.errors import Problem

F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder.  [TRACER_DATA]",
)


class Commands(click.Group):
    """Loads a command's module only when it is called: `tracer --help` stays quick."""

    names = (
        "serve",
        "status",
        "setup",
        "account",
        "access",
        "token",
        "keys",
        "quota",
        "audit",
        "dlq",
        "backup",
        "restore",
        "migrate",
        "secrets",
        "mail",
        "settings",
        "demo",
    )

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"tracer.cli.{cmd_name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracer")
def main() -> None:
    """Self-hosted error tracking in one process. Point any Sentry SDK at it.

    \b
    tracer serve                 start; the first start prints how to go on
    tracer status                how the server does
    tracer settings              every setting, its value and where it came from
    tracer demo                  fill a project with two weeks of made-up events

    Exit codes: 0 done, 1 refused (one line on stderr says why), 2 wrong usage.
    """


def refusing(function: F) -> F:
    """Tell a Problem as one line and exit with 1."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Problem as problem:
            click.echo(f"tracer: {problem.detail}", err=True)
            sys.exit(1)

    return wrapped  # type: ignore[return-value]


def given(**flags: Any) -> dict[str, Any]:
    """The flags that were given; others come from the environment, tracer.toml or defaults."""
    return {name: value for name, value in flags.items() if value is not None}
