"""Carries the checks out, one after another, and the repairs if they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tracer.app.doctor import accounts, counters, files, machine, position
from tracer.app.doctor.model import ERROR, Check, Finding, Place
from tracer.app.doctor.repairs import Stores, commands
from tracer.errors import Conflict, NotFound, Problem, Unavailable
from tracer.kit import control
from tracer.storage import integrity
from tracer.storage.events import DuckEvents
from tracer.storage.folder import Folder
from tracer.storage.meta import Meta
from tracer.storage.readonly import reading
from tracer.storage.tables import EVENTS, PAYLOADS

if TYPE_CHECKING:
    from tracer.settings import Settings

#: In this order. Each is a name for people and what it does.
CHECKS: Mapping[str, Check] = {
    "SQLite files": files.sqlite,
    "permissions": files.modes,
    "half-written files": files.leftovers,
    "clock": machine.clocks,
    "disk": machine.disk,
    "open files": machine.open_files,
    "background work": machine.work,
    "audit log": accounts.chain,
    "accounts": accounts.accounts,
    "position": position.position,
    "event store": counters.store,
    "projects": counters.projects,
    "issue counters": counters.issues,
    "attachments": files.blobs,
}


@dataclass(slots=True)
class Report:
    """What was found, in the order of the checks; `fixed` are the places in it of what was
    repaired, `refused` why a repair was not done, by place."""

    is_running: bool
    findings: list[Finding] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)

    def open(self, severity: str) -> int:
        """How many of a severity are still there."""
        return sum(
            finding.severity == severity and place not in self.fixed
            for place, finding in enumerate(self.findings)
        )

    def shown(self) -> list[dict[str, Any]]:
        """As plain data for JSON."""
        return [
            {
                **{k: v for k, v in asdict(finding).items() if k != "repair"},
                "repairable": bool(finding.repair),
                "fixed": place in self.fixed,
                "refused": self.refused.get(place),
            }
            for place, finding in enumerate(self.findings)
        ]


def examine(
    settings: Settings, *, fix: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Report:
    """Check everything; with `fix` repair what is safe to. `tell` hears which check is under way,
    once for each piece of its work. NotFound without a folder, Invalid when another version wrote
    it, Unavailable when its server does not answer.
    """
    folder = Folder(settings.data)
    if folder.is_new:
        raise NotFound(f"There is no tracer data in {folder.path}.")
    with _stores(settings, folder) as (is_running, ask):
        report = Report(is_running)
        if not _is_readable(folder, report):
            return report
        with reading(folder.meta) as reader:
            for name, check in CHECKS.items():
                tell(name)
                place = Place(settings, folder, reader, is_running, ask, lambda n=name: tell(n))  # type: ignore[misc]
                _carry_out(name, check, place, report)
        if fix:
            tell("repairs")
            _repair(report, ask)
    return report


def _is_readable(folder: Folder, report: Report) -> bool:
    """Whether meta.db can be opened at all: nothing else can be examined without it."""
    try:
        with reading(folder.meta) as reader:
            reader.value("SELECT count(*) FROM sqlite_schema")
    except Problem as problem:
        faults = integrity.faults(folder.meta)
        if not faults:
            raise
        report.findings.append(
            Finding(
                ERROR,
                "damaged",
                f"meta.db cannot be read: {problem.detail}.",
                "tracer cannot start on it; nothing else was examined.",
                "Restore a backup: `tracer restore`. Look at the disk.",
            )
        )
        return False
    return True


def _carry_out(name: str, check: Check, place: Place, report: Report) -> None:
    """One check. What it cannot look at is a finding: a damaged store must not hide the rest."""
    try:
        report.findings += check(place)
    except Problem as problem:
        report.findings.append(
            Finding(
                ERROR,
                "not-examined",
                f"{name} could not be examined: {problem.detail}",
                "Nothing is known of it: it may be damaged.",
                "Mend what is said here, then run `tracer doctor` again; else restore a backup.",
            )
        )


def _repair(report: Report, ask: Callable[..., Any]) -> None:
    for place, finding in enumerate(report.findings):
        if not finding.repair:
            continue
        try:
            for name, arguments in finding.repair:
                ask("doctor_repair", name=name, **arguments)
        except Problem as problem:
            report.refused[place] = problem.detail
        else:
            report.fixed.add(place)


@contextmanager
def _stores(settings: Settings, folder: Folder) -> Iterator[tuple[bool, Callable[..., Any]]]:
    """Whether a server runs on the folder, and how its stores are asked: through its control
    socket, else here, with the folder locked and the stores opened when they are first needed."""
    with ExitStack() as stack:
        try:
            folder.lock()
        except Conflict:
            yield True, lambda command, **arguments: _by_server(folder, command, **arguments)
            return
        stack.callback(folder.unlock)
        here: dict[str, control.Command] = {}

        def ask(command: str, **arguments: Any) -> Any:
            if not here:
                here.update(commands(_open(settings, folder, stack)))
            return control.run(here[command], **arguments)

        yield False, ask


def _by_server(folder: Folder, command: str, **arguments: Any) -> Any:
    answer = control.call(folder.control, command, **arguments)
    if answer is None:
        raise Unavailable("The server is starting or stopping, or does not answer.")
    return answer


def _open(settings: Settings, folder: Folder, stack: ExitStack) -> Stores:
    meta = Meta(folder.meta, audit_key=folder.audit_key())
    stack.callback(meta.close)
    opened: list[DuckEvents] = []

    def events() -> DuckEvents:
        if not opened:
            store = DuckEvents(
                folder.events,
                memory_limit=settings.duckdb_memory,
                threads=settings.duckdb_threads,
                temp=folder.temp,
            )
            stack.callback(store.close)
            store.prepare((EVENTS, PAYLOADS))
            opened.append(store)
        return opened[0]

    return Stores(folder, meta, events, lambda: None)
