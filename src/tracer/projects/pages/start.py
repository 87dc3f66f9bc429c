"""The start page of a project: choose a platform, set the SDK up, see the first event arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from tracer import clock
from tracer.errors import Conflict
from tracer.kit.context import Reach, Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes
from tracer.projects import actions, queries
from tracer.projects.model import Key, Project, dsn
from tracer.projects.platforms import FAMILIES, PLATFORMS, guide, platform, spans
from tracer.projects.samples import envelope, sample_event
from tracer.storage.meta import Reader
from tracer.storage.spool import NewFrame

routes = Routes()


def guide_of(
    reader: Reader, reach: Reach, slug: str, platform_id: str
) -> tuple[Project, str] | None:
    """A project in reach with the id of a platform that has a guide."""
    found = queries.project(reader, reach, slug)
    return (found, platform_id) if found and platform_id in PLATFORMS else None


@routes.get("/projects/{slug}/start/", can=Permission.PROJECT_READ, load=queries.project)
def choose(req: Req, project: Project) -> Response:
    return page(
        req,
        "projects/start.html",
        project=project,
        key=_key(req, project),
        families=FAMILIES,
        platforms=PLATFORMS.values(),
        current=platform(project.platform),
        **_waiting(req, project),
    )


@routes.post("/projects/{slug}/start/", can=Permission.PROJECT_WRITE, load=queries.project)
def set_platform(req: Req, project: Project) -> Response:
    chosen = req.form.choice("platform", PLATFORMS)
    if project.platform == "other":
        with req.meta.write() as tx:
            actions.update_project(tx, project, replace(project, platform=chosen))
    return redirect(f"/projects/{project.slug}/start/{chosen}/")


@routes.get(
    "/projects/{slug}/start/{platform_id}/",
    can=Permission.PROJECT_READ,
    load=guide_of,
)
def show(req: Req, found: tuple[Project, str]) -> Response:
    project, platform_id = found
    key = _key(req, project)
    text = str(dsn(key, req.base_url)) if key else ""
    values = {
        "DSN": text or "no key of this project works",
        "PROJECT_ID": str(project.id),
        "STORE_URL": f"{req.base_url}/api/{project.id}/store/?sentry_key="
        + (key.public_key if key else ""),
    }
    return page(
        req,
        "projects/guide.html",
        project=project,
        dsn=text,
        platform=PLATFORMS[platform_id],
        platforms=PLATFORMS.values(),
        steps=guide(platform_id, values),
        spans=spans,
        **_waiting(req, project),
    )


@routes.get("/projects/{slug}/waiting", can=Permission.PROJECT_READ, load=queries.project)
def waiting(req: Req, project: Project) -> Response:
    """The panel alone, which the page asks for again and again until an event has arrived."""
    template = "projects/_waiting.html"
    return page(req, template, part=template, project=project, **_waiting(req, project))


@routes.post("/projects/{slug}/sample", can=Permission.EVENT_WRITE, load=queries.project)
def send_sample(req: Req, project: Project) -> Response:
    key = _key(req, project)
    if key is None:
        raise Conflict("No key of this project works. Make one first.")
    chosen = req.form.choice("platform", PLATFORMS, platform(project.platform).id)
    event = sample_event(chosen, event_id=clock.new_id(), timestamp=clock.now_s())
    head = {
        "kind": "envelope",
        "encoding": "",
        "content_type": "application/x-sentry-envelope",
        "ip": req.client_ip,
        "ua": req.headers.get("user-agent", "")[:500],
    }
    req.tracer.keys.touch(key.id)
    with req.meta.write() as tx:
        actions.note_sample(tx, project, chosen)
    req.tracer.spool.append_sync(
        NewFrame(
            project_id=project.id,
            key=key.public_key,
            received_at=clock.now_s(),
            head=msgspec.json.encode(head),
            body=envelope(event, str(dsn(key, req.base_url))),
        )
    )
    flash(req, "A sample event is on its way.")
    return redirect(f"/projects/{project.slug}/start/{chosen}/")


def _key(req: Req, project: Project) -> Key | None:
    return queries.working_key(req.meta.read(), project.id)


def _waiting(req: Req, project: Project) -> dict[str, Any]:
    return {"issue_id": queries.first_issue_id(req.meta.read(), project.id)}
