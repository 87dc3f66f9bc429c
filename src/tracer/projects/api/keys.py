"""Project keys: list, create, one, update, rotate, delete. A key's id is its public part."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET

from tracer import clock
from tracer.kit.context import Req
from tracer.kit.paging import link_header
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, empty, json
from tracer.kit.routes import Operation, Routes
from tracer.projects import actions, queries
from tracer.projects.api.shapes import KeyCreate, KeyInfo, KeyUpdate, key_info
from tracer.projects.model import OVERLAPS_S, Key, Project

routes = Routes()

_KEYS = "/api/0/projects/{organization_slug}/{project_slug}/keys/"
_KEY = _KEYS + "{key_id}/"


class KeyRotate(msgspec.Struct):
    """How long the old key goes on working beside the new one."""

    overlap: Literal["1h", "1d", "7d", "30d"] = "1d"


@routes.get(
    _KEYS,
    can=Permission.PROJECT_READ,
    load=queries.project_of,
    doc=Operation(
        "List a project's keys",
        returns=list[KeyInfo],
        errors=(401, 403, 404),
        tag="Keys",
        paged=True,
    ),
)
def list_keys(req: Req, project: Project) -> Response:
    found = queries.keys(req.meta.read(), project.id)
    return json(
        [_info(req, key) for key in found], headers=link_header(req, previous=None, next=None)
    )


@routes.post(
    _KEYS,
    can=Permission.PROJECT_WRITE,
    load=queries.project_of,
    doc=Operation(
        "Create a key",
        body=KeyCreate,
        returns=KeyInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Keys",
    ),
)
def create(req: Req, project: Project) -> Response:
    wanted = req.decode(KeyCreate)
    with req.meta.write() as tx:
        key = actions.create_key(tx, project.id, wanted.name or "")
        if wanted.rate_limit is not None:
            rate = wanted.rate_limit
            key = actions.limit_key(tx, key, (rate.count, rate.window))
    return json(_info(req, key), status=201)


@routes.get(
    _KEY,
    can=Permission.PROJECT_READ,
    load=queries.key_of,
    doc=Operation("Retrieve a key", returns=KeyInfo, errors=(401, 403, 404), tag="Keys"),
)
def one(req: Req, key: Key) -> Response:
    return json(_info(req, key))


@routes.put(
    _KEY,
    can=Permission.PROJECT_WRITE,
    load=queries.key_of,
    doc=Operation(
        "Update a key",
        body=KeyUpdate,
        returns=KeyInfo,
        errors=(400, 401, 403, 404),
        tag="Keys",
    ),
)
def update(req: Req, key: Key) -> Response:
    wanted = req.decode(KeyUpdate)
    with req.meta.write() as tx:
        key = actions.update_key(
            tx,
            key,
            label=None if wanted.name is UNSET else wanted.name,
            is_active=None if wanted.is_active is UNSET else wanted.is_active,
        )
        if wanted.rate_limit is not UNSET:
            rate = wanted.rate_limit
            key = actions.limit_key(tx, key, rate and (rate.count, rate.window))
    return json(_info(req, key))


@routes.post(
    _KEY + "rotate/",
    can=Permission.PROJECT_WRITE,
    load=queries.key_of,
    doc=Operation(
        "Rotate a key",
        description="Makes a new key; the old one goes on working for the overlap.",
        body=KeyRotate,
        returns=KeyInfo,
        status=201,
        errors=(400, 401, 403, 404, 409),
        tag="Keys",
    ),
)
def rotate(req: Req, key: Key) -> Response:
    wanted = req.decode(KeyRotate)
    with req.meta.write() as tx:
        key = actions.rotate_key(tx, key, OVERLAPS_S[wanted.overlap])
    return json(_info(req, key), status=201)


@routes.delete(
    _KEY,
    can=Permission.PROJECT_ADMIN,
    load=queries.key_of,
    step_up=True,
    doc=Operation("Delete a key", status=204, errors=(401, 403, 404), tag="Keys"),
)
def delete(req: Req, key: Key) -> Response:
    with req.meta.write() as tx:
        actions.delete_key(tx, key)
    return empty()


def _info(req: Req, key: Key) -> KeyInfo:
    return key_info(key, req.base_url, clock.to_ms(req.now))
