"""The pages of dead letters: those of one's projects, and those of the whole server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tracer.errors import NotFound
from tracer.features.dead_letters import actions, changes, export, queries
from tracer.ingest import outcomes
from tracer.ingest.letters import conditions
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes, Stored

if TYPE_CHECKING:
    from tracer.ingest.solo import Trial
    from tracer.protocol.scrub import ScrubRules
    from tracer.storage.spool import DeadLetter
    from tracer.storage.spool.letters import Wanted

PATH = "/settings/dead-letters/"
SERVER_PATH = "/settings/server/dead-letters/"
REASON_MAX = 200
_WITHHELD = (
    "A policy keeps events of some environments of this project from you, so its dead letters are "
    "not opened here."
)

routes = Routes()
READ, CHANGE, SERVER = Permission.PROJECT_WRITE, Permission.PROJECT_ADMIN, Permission.SERVER_ADMIN
OWN, ANY = Stored(queries.letter), Stored(queries.any_letter)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a dry run says: whether it would be digested, and what of it."""

    is_good: bool
    text: str
    detail: str = ""
    items: tuple[tuple[str, int], ...] = ()


@routes.get(PATH, can=READ)
@routes.get(SERVER_PATH, can=SERVER)
def index(req: Req) -> render.Response:
    """Dead letters by reason, and the newest of them."""
    project_id, reason = _chosen(req)
    asked = queries.wanted(req, project_id, reason)
    letters = req.tracer.spool.letters
    before = req.query.int("before", 0) or None
    found = letters.read.page(asked, limit=queries.PAGE_SIZE + 1, before=before)
    groups = letters.read.groups(queries.wanted(req, None, None))
    fitting = [group for group in groups if _fits(group, project_id, reason)]
    shown = found[: queries.PAGE_SIZE]
    chosen = _address(req, project=project_id, reason=reason)
    more = len(found) > len(shown)
    return render.page(
        req,
        "dead_letters/index.html",
        path=_path(req),
        is_server=queries.is_server(req),
        groups=groups,
        letters=shown,
        count=sum(group.count for group in fitting),
        size_bytes=sum(group.size_bytes for group in fitting),
        total=sum(group.count for group in groups),
        project_id=project_id,
        reason=reason,
        names=_names(req),
        removed=letters.read.removed(queries.wanted(req, None, None)),
        bounds=letters.bounds,
        address=lambda **of: _address(req, **of),
        first=chosen if before else "",
        next=_address(req, project=project_id, reason=reason, before=shown[-1].id) if more else "",
    )


@routes.get(PATH + "{letter_id:int}/", can=READ, load=OWN)
@routes.get(SERVER_PATH + "{letter_id:int}/", can=SERVER, load=ANY)
def show(req: Req, letter: DeadLetter) -> render.Response:
    """One dead letter; its content comes with `content`."""
    return _page(req, letter, None)


@routes.get(PATH + "{letter_id:int}/content", can=READ, load=OWN)
@routes.get(SERVER_PATH + "{letter_id:int}/content", can=SERVER, load=ANY)
def content(req: Req, letter: DeadLetter) -> render.Response:
    """What is in it, scrubbed, and whether it would be digested now; nothing of it is stored."""
    if _withheld(req, letter.project_id):
        return _page(req, letter, None)
    frame = req.tracer.spool.letters.read.frame(letter.id)
    if frame is None:
        raise NotFound("This dead letter is gone.")
    project = req.tracer.keys.project(letter.project_id)
    return _page(req, letter, req.tracer.solo.try_frame(frame, project and project.rules))


@routes.post(PATH + "{letter_id:int}/replay", can=CHANGE, load=OWN)
@routes.post(SERVER_PATH + "{letter_id:int}/replay", can=SERVER, load=ANY)
def replay(req: Req, letter: DeadLetter) -> render.Response:
    """Have it digested again."""
    with req.meta.write() as tx:
        actions.record_one(tx, "replay", letter)
    if actions.replay_one(req.tracer.spool, letter) is None:
        raise NotFound("This dead letter is gone.")
    render.flash(req, f"Dead letter {letter.id} is being digested again.")
    return render.redirect(_path(req))


@routes.post(PATH + "{letter_id:int}/discard", can=CHANGE, load=OWN)
@routes.post(SERVER_PATH + "{letter_id:int}/discard", can=SERVER, load=ANY)
def discard(req: Req, letter: DeadLetter) -> render.Response:
    """Delete it for good."""
    with req.meta.write() as tx:
        actions.record_one(tx, "discard", letter)
    req.tracer.spool.letters.discard([letter.id])
    render.flash(req, f"Dead letter {letter.id} is discarded.")
    return render.redirect(_path(req))


@routes.post(PATH + "replay", can=CHANGE)
@routes.post(SERVER_PATH + "replay", can=SERVER)
def replay_all(req: Req) -> render.Response:
    """Have all that fit digested again."""
    return _many(req, "replay", "being digested again")


@routes.post(PATH + "discard", can=CHANGE, step_up=True)
@routes.post(SERVER_PATH + "discard", can=SERVER, step_up=True)
def discard_all(req: Req) -> render.Response:
    """Delete all that fit for good."""
    return _many(req, "discard", "discarded")


@routes.post(PATH + "export", can=READ, step_up=True)
@routes.post(SERVER_PATH + "export", can=SERVER, step_up=True)
def export_file(req: Req) -> render.Response:
    """All that fit as JSON Lines, without their secrets."""
    asked = _asked(req)
    with req.meta.write() as tx:
        actions.record_many(tx, req.tracer.spool, "export", asked)
    tracer = req.tracer

    def rules_of(project_id: int) -> Any:
        project = tracer.keys.project(project_id)
        return None if project is None else project.scrub

    return render.StreamingResponse(
        export.lines(
            tracer.spool.letters.read,
            asked,
            tracer.solo,
            rules_of,
            lambda project_id: _withheld(req, project_id),
        ),
        200,
        {
            "content-disposition": f'attachment; filename="dead-letters-{req.now:%Y-%m-%d}.jsonl"',
            "content-security-policy": "default-src 'none'; sandbox",
            "cache-control": "private, no-store",
        },
        "application/jsonl",
    )


def _many(req: Req, verb: str, done: str) -> render.Response:
    """Do it to all that fit: at once to a few, in the background to many."""
    asked = _asked(req)
    spool = req.tracer.spool
    with req.meta.write() as tx:
        count = actions.record_many(tx, spool, verb, asked)
        if count > actions.AT_ONCE:
            tx.enqueue(
                f"dead_letters.{verb}",
                project_ids=asked.project_ids,
                reason=asked.reason,
                through=asked.through,
            )
    if count > actions.AT_ONCE:
        req.tracer.worker.wake()
    elif verb == "replay":
        actions.replay_some(spool, asked)
    else:
        actions.discard_some(spool, asked)
    are = "dead letter is" if count == 1 else "dead letters are"
    render.flash(req, f"{count:,} {are} {done}." if count else "There is none any more.")
    return render.redirect(_path(req))


def _page(req: Req, letter: DeadLetter, trial: Trial | None) -> render.Response:
    tracer = req.tracer
    project = tracer.keys.project(letter.project_id)
    before = changes.conditions_of(letter)
    return render.page(
        req,
        "dead_letters/letter.html",
        part="dead_letters/_content.html" if trial else None,
        path=_path(req),
        letter=letter,
        project=_names(req).get(letter.project_id, ""),
        detail=export.detail(letter, project and project.scrub),
        changes=None if before is None else changes.changes(before, conditions(project)),
        settings_since=queries.settings_since(req.meta.read(), letter.project_id, letter.buried_at),
        withheld=_withheld(req, letter.project_id),
        look=trial.look if trial else None,
        verdict=_verdict(trial, project and project.scrub) if trial else None,
    )


def _verdict(trial: Trial, rules: ScrubRules | None) -> Verdict:
    prepared = trial.prepared
    if prepared.failure is not None:
        reason, detail = prepared.failure
        text = f"No: it would fail again ({reason})."
        return Verdict(False, text, export.without_secrets(detail, rules))
    counts: dict[str, int] = {}
    for item in prepared.items:
        fate = item.outcome or outcomes.STORED
        name = f"{item.category}: {fate.replace('_', ' ')}"
        name += f" ({item.reason})" if item.reason else ""
        counts[name] = counts.get(name, 0) + item.quantity
    return Verdict(True, "Yes: it would be digested now.", items=tuple(counts.items()))


def _withheld(req: Req, project_id: int) -> str:
    hidden = not queries.is_server(req) and req.reach.hides(project_id)
    return _WITHHELD if hidden else ""


def _asked(req: Req) -> Wanted:
    """What a form is about: never more than what is in reach, and there now."""
    project_id = req.form.int("project", 0) or None
    reason = req.form.text("reason", max=REASON_MAX) or None
    return queries.up_to_now(req.tracer, queries.wanted(req, project_id, reason))


def _chosen(req: Req) -> tuple[int | None, str | None]:
    return req.query.int("project", 0) or None, req.query.text("reason", max=REASON_MAX) or None


def _fits(group: Any, project_id: int | None, reason: str | None) -> bool:
    return project_id in (None, group.project_id) and reason in (None, group.reason)


def _names(req: Req) -> dict[int, str]:
    if queries.is_server(req):
        return queries.project_names(req.meta.read())
    return {ref.id: ref.slug for ref in req.projects}


def _path(req: Req) -> str:
    return SERVER_PATH if queries.is_server(req) else PATH


def _address(req: Req, **of: Any) -> str:
    query = urlencode({name: value for name, value in of.items() if value})
    return f"{_path(req)}?{query}" if query else _path(req)
