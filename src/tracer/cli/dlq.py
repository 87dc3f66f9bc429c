"""`tracer dlq`: dead letters: list them, look at one, replay, discard, export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing
from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.app.letters import Asked, Shelf

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FILTERS = (
    click.option("--project", help="Only of this project: slug, organization/slug or id."),
    click.option("--reason", help="Only with this reason, such as KeyError."),
)


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that choose dead letters."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@click.group("dlq")
def command() -> None:
    """Dead letters: what was accepted and could not be digested."""


@command.command("list")
@filters
@click.option(
    "--limit", type=click.IntRange(0, 10_000), default=20, show_default=True, help="How many."
)
@json_option
@data_option
@refusing
def list_letters(
    project: str | None, reason: str | None, limit: int, as_json: bool, data: Path | None
) -> None:
    """Print how many there are by reason, and the newest.

    \b
    tracer dlq list
    tracer dlq list --project shop --reason KeyError --json
    """
    import msgspec

    with _shelf(data) as shelf:
        asked = _asked(project, reason)
        groups, rows, removed = shelf.groups(asked), shelf.rows(asked, limit), shelf.removed()
        names = shelf.names
    if as_json:
        click.echo(msgspec.json.encode({"groups": groups, "letters": rows, "removed": removed}))
        return
    for group in groups:
        name = names.get(group.project_id, str(group.project_id))
        click.echo(f"{group.count:>8,}  {_line(group.reason):<24} {name}")
    if not groups:
        click.echo("No dead letters.")
    for row in rows:
        name = names.get(int(row.project_id), row.project_id)
        when = row.last_try.strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"{row.id:>10}  {when}  {_line(row.reason):<24} {name}")
    for gone in removed:
        name = names.get(gone.project_id, str(gone.project_id))
        click.echo(
            f"{gone.count:,} of {name} ({_line(gone.reason)}) had to go: too "
            + ("many bytes of dead letters" if gone.cause == "size" else "old"),
            err=True,
        )


@command.command("show")
@click.argument("letter", type=int)
@click.option("--try", "try_it", is_flag=True, help="Say whether it would be digested now.")
@json_option
@data_option
@refusing
def show(letter: int, try_it: bool, as_json: bool, data: Path | None) -> None:
    """Print one: why it failed, what changed since, its content without its secrets.

    \b
    tracer dlq show 1204
    tracer dlq show 1204 --try --json
    """
    import msgspec

    with _shelf(data) as shelf:
        found = msgspec.to_builtins(shelf.whole(letter))
        found["changedSince"] = msgspec.to_builtins(shelf.changes(letter))
        if try_it:
            failure = shelf.trial(letter).failure
            found["wouldFailWith"] = None if failure is None else failure[0]
    if as_json:
        click.echo(json.dumps(found))
        return
    detail = found.pop("detail")
    content = found.pop("content")
    for name, value in found.items():
        click.echo(f"{name:<14} {_line(value if isinstance(value, str) else json.dumps(value))}")
    click.echo()
    click.echo(_lines(detail))
    if content is not None:
        click.echo()
        click.echo(_lines(json.dumps(content, indent=2, ensure_ascii=False)))


@command.command("replay")
@click.argument("letters", type=int, nargs=-1)
@filters
@click.option("--all", "all_", is_flag=True, help="All of them.")
@json_option
@data_option
@refusing
def replay(data: Path | None, as_json: bool, **flags: Any) -> None:
    """Have dead letters digested again, after what they failed of is mended.

    On a stopped server they are digested at its next start.

    \b
    tracer dlq replay 1204 1207
    tracer dlq replay --reason KeyError --project shop
    tracer dlq replay --all
    """
    _many("dlq_replay", "replayed", data, as_json, **flags)


@command.command("discard")
@click.argument("letters", type=int, nargs=-1)
@filters
@click.option("--all", "all_", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_option
@refusing
def discard(data: Path | None, as_json: bool, yes: bool, **flags: Any) -> None:
    """Delete dead letters for good.

    \b
    tracer dlq discard 1204
    tracer dlq discard --reason KeyError --yes
    """
    _check(**flags)
    if not yes:
        click.confirm("What is in them cannot be had again. Discard?", abort=True, err=True)
    _many("dlq_discard", "discarded", data, as_json, **flags)


@command.command("export")
@filters
@click.option(
    "--output", "-o", type=click.File("wb"), default="-", help="File to write.  [default: stdout]"
)
@click.option("--json", "as_json", is_flag=True, help="Say on stderr how many, as JSON.")
@data_option
@refusing
def export(
    project: str | None, reason: str | None, output: BinaryIO, as_json: bool, data: Path | None
) -> None:
    """Write dead letters as JSON Lines, without their secrets. The audit log records it.

    \b
    tracer dlq export -o letters.jsonl
    tracer dlq export --reason KeyError | jq .detail
    """
    settings = all_settings.load(given(data=data))[0]
    from tracer import app

    app.run(settings, "dlq_export", project=project, reason=reason)
    count = 0
    with _shelf(data) as shelf:
        for line in shelf.export(_asked(project, reason)):
            output.write(line)
            count += 1
    click.echo(json.dumps({"exported": count}) if as_json else f"{count:,} exported.", err=True)


def _check(letters: tuple[int, ...], project: str | None, reason: str | None, all_: bool) -> None:
    if bool(letters) + all_ + bool(project or reason) != 1:
        raise Invalid("Name dead letters by id, or by --project and --reason, or say --all.")


def _many(
    name: str,
    done: str,
    data: Path | None,
    as_json: bool,
    *,
    letters: tuple[int, ...],
    project: str | None,
    reason: str | None,
    all_: bool,
) -> None:
    """Call until none is left; a bar shows how far it is where somebody looks on."""
    _check(letters, project, reason, all_)
    settings = all_settings.load(given(data=data))[0]
    from tracer.app import run

    what = {"ids": list(letters), "project": project, "reason": reason}
    step = run(settings, name, **what, through=None)
    total = step["done"]
    with click.progressbar(length=total + step["left"], file=sys.stderr) as bar:
        bar.update(total)
        while step["left"] and step["done"]:
            step = run(settings, name, **what, through=step["through"])
            total += step["done"]
            bar.update(step["done"])
    if as_json:
        click.echo(json.dumps({done: total, "left": step["left"]}))
    else:
        click.echo(f"{total:,} {done}.")


@contextmanager
def _shelf(data: Path | None) -> Iterator[Shelf]:
    settings = all_settings.load(given(data=data))[0]
    from tracer.app.letters import open_shelf

    with open_shelf(settings) as shelf:
        yield shelf


def _asked(project: str | None, reason: str | None) -> Asked:
    from tracer.app.letters import Asked

    return Asked(project, reason)


def _lines(text: str) -> str:
    return "\n".join(_line(line, 1000) for line in text.splitlines())


def _line(text: str, limit: int = 100) -> str:
    """As one line that moves no cursor: dead letters hold what others sent."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:limit]
