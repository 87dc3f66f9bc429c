"""The command group: how settings reach a command, and how refusals are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tracer import __version__, clock
from tracer import settings as all_settings
from tracer.errors import Problem

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
        "doctor",
        "setup",
        "account",
        "organizations",
        "projects",
        "project-keys",
        "access",
        "token",
        "keys",
        "quota",
        "audit",
        "dlq",
        "backup",
        "restore",
        "migrate",
        "support-bundle",
        "spool",
        "retention",
        "secrets",
        "mail",
        "settings",
        "demo",
        "completion",
    )

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"tracer.cli.{cmd_name.replace('-', '_')}").command
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


def ask(data: Path | None, command: str, /, **arguments: Any) -> Any:
    """Have the running server carry out a command; without one it is done here. Problem."""
    settings = all_settings.load(given(data=data))[0]
    from tracer import app

    return app.run(settings, command, **arguments)


def look(data: Path | None, function: Callable[..., Any], /, **arguments: Any) -> Any:
    """What `function(reader, …)` reads of the folder, beside a running server or not. Problem."""
    settings = all_settings.load(given(data=data))[0]
    from tracer import app

    return app.look(settings, function, **arguments)


def tell(result: Any, as_json: bool, lines: Iterable[str]) -> None:
    """Print a result: as JSON, or as lines for people."""
    if as_json:
        click.echo(json.dumps(result))
        return
    for line in lines:
        click.echo(plain(line).rstrip())


def details(found: Mapping[str, Any]) -> Iterator[str]:
    """One line for each field; times are told as such."""
    for name, value in found.items():
        if name.endswith("_at"):
            text = moment(value)
        elif isinstance(value, Mapping):
            text = ", ".join(f"{key}: {part}" for key, part in value.items())
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = f"{value:,}" if isinstance(value, int) and name != "id" else str(value)
        yield f"{name.removesuffix('_at').replace('_', ' '):<18}{text or '–'}"


def moment(at: int | None) -> str:
    """A time (unix ms) to the minute; "never" for None."""
    return "never" if at is None else f"{clock.from_ms(at):%Y-%m-%d %H:%M} UTC"


def plain(text: str) -> str:
    """As one line that moves no cursor: names and titles are what others typed."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
