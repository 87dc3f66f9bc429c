"""The filters of a project and its discarded issues. Nothing is saved that was not tried first."""

from __future__ import annotations

from tracer import clock
from tracer.features.filters import model, queries
from tracer.issues import actions as issues
from tracer.issues import queries as issue_queries
from tracer.issues.model import Discarded
from tracer.kit import render
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.paging import decode_cursor, encode_cursor
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes
from tracer.projects import actions
from tracer.projects.filters import addresses, patterns
from tracer.projects.model import Project
from tracer.projects.queries import project as by_slug
from tracer.protocol import filter_rules as names
from tracer.protocol.categories import LEVEL_NAMES
from tracer.protocol.filter_rules import LEGACY, FilterRules

routes = Routes()

_PATH = "/projects/{slug}/filters/"


@routes.get(_PATH, can=Permission.PROJECT_READ, load=by_slug)
def show(req: Req, project: Project) -> render.Response:
    """What is set, and what it filtered."""
    return _page(req, project, Checked(req.form), project.filters)


@routes.post(_PATH, can=Permission.PROJECT_WRITE, load=by_slug)
def save(req: Req, project: Project) -> render.Response:
    """Try the rules on stored events; save them once their dry run was seen (`tried`)."""
    form = Checked(req.form)
    rules = _read(req, form, project)
    if not form:
        return _page(req, project, form, rules, status=422)
    if req.form.get("tried") != model.digest(rules):
        trial = queries.dry_run(req, project, rules)
        return _page(req, project, form, rules, trial)
    with req.meta.write() as tx:
        actions.set_filters(tx, project, rules)
    render.flash(req, "The filters are saved.")
    return render.redirect(f"/projects/{project.slug}/filters/")


@routes.get(_PATH + "discarded/", can=Permission.EVENT_READ, load=by_slug)
def discarded(req: Req, project: Project) -> render.Response:
    """Issues whose events are filtered out since they were discarded."""
    before = decode_cursor(req.query.get("cursor"), int)
    found, following = issue_queries.discarded_page(
        req.meta.read(), req.reach, project.id, before=before
    )
    path = f"/projects/{project.slug}/filters/discarded/"
    return render.page(
        req,
        "filters/discarded.html",
        project=project,
        found=[(one, LEVEL_NAMES.get(one.level, "error")) for one in found],
        first=path if before is not None else "",
        next=f"{path}?cursor={encode_cursor(following)}" if following else "",
    )


@routes.post(
    _PATH + "discarded/{discard_id:int}/undo",
    can=Permission.EVENT_ADMIN,
    load=issue_queries.discarded,
)
def undo(req: Req, found: Discarded) -> render.Response:
    """Store events of its kind again."""
    with req.meta.write() as tx:
        issues.restore(tx, found)
    render.flash(req, f"{found.name} is no longer discarded. A new event makes a new issue.")
    return render.redirect(f"/projects/{found.project_slug}/filters/discarded/")


def _read(req: Req, form: Checked, project: Project) -> FilterRules:
    before = project.filters
    chosen = req.form.all("legacy_browsers")
    return FilterRules(
        **{name: req.form.flag(name) for name in model.TOGGLES},
        legacy_browsers=tuple(name for name in LEGACY if name in chosen),
        error_messages=form.read(names.ERROR_MESSAGES, patterns, before.error_messages),
        releases=form.read(names.RELEASES, patterns, before.releases),
        addresses=form.read(names.ADDRESSES, addresses, before.addresses),
    )


def _page(
    req: Req,
    project: Project,
    form: Checked,
    rules: FilterRules,
    trial: model.Trial | None = None,
    *,
    status: int = 200,
) -> render.Response:
    return render.page(
        req,
        "filters/index.html",
        status=status,
        project=project,
        form=form,
        rules=rules,
        trial=trial,
        tried=model.digest(rules),
        titles=model.TITLES,
        toggles=model.TOGGLES,
        browsers=model.BROWSERS,
        counts=queries.by_day(req.meta.read(), project.id, now_ms=clock.to_ms(req.now)),
        days=queries.DAYS,
    )
