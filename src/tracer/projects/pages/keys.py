"""A project's keys: their DSNs, and making, naming, rotating, disabling and deleting them."""

from __future__ import annotations

from tracer import clock
from tracer.errors import Conflict, Invalid
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes
from tracer.projects import actions, queries
from tracer.projects.model import OVERLAPS_S, Key, Project, check_label, check_rate, dsn

routes = Routes()

OVERLAPS = (("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"))

WINDOWS = (("60", "a minute"), ("3600", "an hour"), ("86400", "a day"))

_KEY = "/projects/{slug}/keys/{key_id:int}/"


@routes.get("/projects/{slug}/keys/", can=Permission.PROJECT_READ, load=queries.project)
def index(req: Req, project: Project) -> Response:
    return _page(req, project, Checked(req.form))


@routes.post("/projects/{slug}/keys/", can=Permission.PROJECT_WRITE, load=queries.project)
def create(req: Req, project: Project) -> Response:
    form = Checked(req.form)
    label = form.read("label", check_label, "")
    if not form:
        return _page(req, project, form, status=422)
    try:
        with req.meta.write() as tx:
            actions.create_key(tx, project.id, label)
    except Conflict as error:
        form.errors["label"] = error.detail
        return _page(req, project, form, status=409)
    return _done(req, project, "The key is made. It works at once.")


@routes.post(_KEY + "edit", can=Permission.PROJECT_WRITE, load=queries.project_key)
def edit(req: Req, found: tuple[Project, Key]) -> Response:
    project, key = found
    form = Checked(req.form)
    window = req.form.choice("window", [text for text, _ in windows_of(key)], "60")
    label = form.read("label", check_label, "")
    rate = form.read("count", lambda text: _rate(text, int(window)), None)
    if not form:
        return _page(req, project, form, editing=key.id, status=422)
    with req.meta.write() as tx:
        actions.edit_key(tx, key, label, rate)
    return _done(req, project, "The key is saved.")


@routes.post(_KEY + "rotate", can=Permission.PROJECT_WRITE, load=queries.project_key)
def rotate(req: Req, found: tuple[Project, Key]) -> Response:
    project, key = found
    overlap = req.form.choice("overlap", OVERLAPS_S)
    with req.meta.write() as tx:
        actions.rotate_key(tx, key, OVERLAPS_S[overlap])
    lasting = dict(OVERLAPS)[overlap]
    return _done(req, project, f"The new key works at once, the old one for {lasting} more.")


@routes.post(_KEY + "disable", can=Permission.PROJECT_WRITE, load=queries.project_key)
def disable(req: Req, found: tuple[Project, Key]) -> Response:
    project, key = found
    with req.meta.write() as tx:
        actions.disable_key(tx, key)
    return _done(req, project, "The key is disabled: what comes under it is refused.")


@routes.post(_KEY + "enable", can=Permission.PROJECT_WRITE, load=queries.project_key)
def enable(req: Req, found: tuple[Project, Key]) -> Response:
    project, key = found
    with req.meta.write() as tx:
        actions.enable_key(tx, key)
    return _done(req, project, "The key works again.")


@routes.post(_KEY + "delete", can=Permission.PROJECT_ADMIN, load=queries.project_key, step_up=True)
def delete(req: Req, found: tuple[Project, Key]) -> Response:
    project, key = found
    if key.works(clock.to_ms(req.now)):
        raise Invalid("Disable the key before you delete it.")
    with req.meta.write() as tx:
        actions.delete_key(tx, key)
    return _done(req, project, "The key is deleted.")


def _done(req: Req, project: Project, message: str) -> Response:
    flash(req, message)
    return redirect(f"/projects/{project.slug}/keys/")


def windows_of(key: Key) -> tuple[tuple[str, str], ...]:
    """The windows to choose from for a key: its own is among them, whatever the API made it."""
    own = str(key.rate_window_s or 60)
    if own in dict(WINDOWS):
        return WINDOWS
    return (*WINDOWS, (own, f"in {own} seconds"))


def rate_text(key: Key) -> str:
    """A key's rate limit in words; empty when there is none."""
    if key.rate is None:
        return ""
    count, window_s = key.rate
    events = "1 event" if count == 1 else f"{count:,} events"
    return f"at most {events} {dict(windows_of(key))[str(window_s)]}"


def _rate(text: str, window_s: int) -> tuple[int, int] | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("Enter a number of events, or nothing for no limit.")
    return check_rate(int(text), window_s)


def _page(
    req: Req, project: Project, form: Checked, *, editing: int | None = None, status: int = 200
) -> Response:
    now_ms = clock.to_ms(req.now)
    found = queries.keys(req.meta.read(), project.id)
    # Those that work and will go on working come first, the newest of them at the top.
    found.sort(key=lambda key: (not key.works(now_ms), key.expires_at is not None, -key.id))
    return page(
        req,
        "projects/keys.html",
        status=status,
        project=project,
        form=form,
        editing=editing,
        overlaps=OVERLAPS,
        windows_of=windows_of,
        rate_text=rate_text,
        now_ms=now_ms,
        keys=[(key, str(dsn(key, req.base_url)), key.works(now_ms)) for key in found],
    )
