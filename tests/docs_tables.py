"""The parts of the documentation that are made from the code, between their markers.

`python tests/docs_tables.py` writes them; a test compares them with what is there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import click

from tracer.app import build
from tracer.cli import main
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.routes import RawRoute, Route, Table
from tracer.settings import PREFIX, Settings, shown

DOCS = Path(__file__).parents[1] / "docs"


def settings_table() -> str:
    """Every setting with its default."""
    lines = ["| Setting | Default | Means |", "|---|---|---|"]
    defaults = Settings(data=Path("~/.local/share/tracer"))
    for entry in fields(Settings):
        value = shown(getattr(defaults, entry.name))
        default = f"`{value}`" if value else "–"
        help_ = entry.metadata["help"]
        lines.append(f"| `{entry.name}`<br>`{PREFIX}{entry.name.upper()}` | {default} | {help_} |")
    return "\n".join(lines)


# The command line -------------------------------------------------------------------------------


def commands() -> str:
    """Every command: what it is for, its options, an example."""
    return "\n\n".join(_command(path, command) for path, command in _walk("tracer", main))


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _walk(f"{path} {name}", found)
    else:
        yield path, command


def _command(path: str, command: click.Command) -> str:
    text, _, example = inspect.cleandoc(command.help or "").partition("\n\n\b\n")
    parts = [f"## `{path}`", text]
    if example:
        parts.append(f"```sh\n{example}\n```")
    rows = [_option(p) for p in command.params if isinstance(p, click.Option)]
    parts.append("\n".join(["| Option | Means |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if isinstance(option.type, click.Choice):
        names += f" `{' '.join(option.type.choices)}`"
    elif not option.is_flag:
        names += f" `{option.make_metavar(click.Context(main))}`".replace("INTEGER RANGE", "NUMBER")
    notes = re.sub(r"\s+", " ", option.help or "")
    if option.required:
        notes += " Required."
    if option.show_default and option.default not in (None, ""):
        notes += f" Default: `{option.default}`."
    return f"| {names} | {notes} |"


# Permissions ------------------------------------------------------------------------------------

_NAMES = {
    Permission.PUBLIC: "everybody",
    Permission.PROJECT_KEY: "a project's key",
    Permission.LOGGED_IN: "whoever is logged in",
}


def roles_table() -> str:
    """Which role grants which scope."""
    lines = [
        f"| Scope | {' | '.join(ROLE_GRANTS)} |",
        f"|---|{':-:|' * len(ROLE_GRANTS)}",
    ]
    for scope in sorted(SCOPES):
        marks = ["●" if scope in grants else "" for grants in ROLE_GRANTS.values()]
        lines.append(f"| `{scope}` | {' | '.join(marks)} |")
    return "\n".join(lines)


def routes_table() -> str:
    """Every route, what it asks for, and the roles that have it."""
    table = build(Settings()).table
    lines = ["| Route | Needs | Roles |", "|---|---|---|"]
    lines += [_route(route) for route in sorted(table.routes, key=_place)]
    lines += [_raw(route) for route in _raws(table)]
    return "\n".join(lines)


def _place(route: Route) -> tuple[str, str]:
    return route.path, route.method


def _raws(table: Table) -> list[RawRoute]:
    return sorted(table.raws, key=lambda raw: raw.path)


def _route(route: Route) -> str:
    return f"| `{route.method} {_plain(route.path)}` | {_needs(route.can)} | {_roles(route.can)} |"


def _raw(route: RawRoute) -> str:
    methods = " ".join(method for method in route.methods if method != "OPTIONS")
    return f"| `{methods} {_plain(route.path)}` | {_needs(route.can)} | – |"


def _plain(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", r"{\1}", path)


def _needs(can: Permission) -> str:
    return _NAMES.get(can) or f"`{can}`"


def _roles(can: Permission) -> str:
    if can not in SCOPES:
        return "–"
    roles = [role for role, grants in ROLE_GRANTS.items() if can in grants]
    return "all" if len(roles) == len(ROLE_GRANTS) else ", ".join(roles)


# Files ------------------------------------------------------------------------------------------

#: (file, marker) -> what stands between `<!-- marker -->` and `<!-- /marker -->`.
PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("install.md", "settings"): settings_table,
    ("cli.md", "commands"): commands,
    ("permissions.md", "roles"): roles_table,
    ("permissions.md", "routes"): routes_table,
}


def there(file: str, marker: str) -> str:
    """What the file has between the markers."""
    return _between(marker).search((DOCS / file).read_text("utf-8"))[2]  # type: ignore[index]


def _between(marker: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {marker} -->\n)(.*?)(<!-- /{marker} -->)", re.DOTALL)


def write() -> None:
    """Bring every part up to date."""
    for (file, marker), make in PARTS.items():
        path = DOCS / file
        old = path.read_text("utf-8")
        made = make()
        path.write_text(
            _between(marker).sub(lambda m, made=made: f"{m[1]}{made}\n{m[3]}", old), "utf-8"
        )


if __name__ == "__main__":
    write()
