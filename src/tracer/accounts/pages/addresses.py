"""From which addresses the organization may be used and administered."""

from __future__ import annotations

import re

from tracer.accounts.policies import actions, lockout
from tracer.errors import Conflict
from tracer.kit import directory
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

_HOME = "/settings/addresses/"
_BETWEEN = re.compile(r"[,\s]+")


@routes.get(_HOME, can=Permission.ORG_ADMIN)
def show(req: Req) -> Response:
    return _page(req, Checked(req.form))


@routes.post(_HOME, can=Permission.ORG_ADMIN, step_up=True)
def update(req: Req) -> Response:
    form = Checked(req.form)
    none: tuple[str, ...] = ()
    everyone = form.read("everyone", _ranges, none)
    administration = form.read("administration", _ranges, none)
    if not form:
        return _page(req, form, status=422)
    try:
        with req.meta.write() as tx:
            actions.set_addresses(
                tx,
                req.reach.organization_id,
                everyone=everyone,
                administration=administration,
                by=lockout.editor(req),
            )
    except Conflict as error:
        fits = actions.lets_in(everyone, req.client_ip)
        form.errors["administration" if fits else "everyone"] = error.detail
        return _page(req, form, status=409)
    flash(req, "The address lists are saved.")
    return redirect(_HOME)


def _ranges(text: str) -> tuple[str, ...]:
    return actions.clean(_BETWEEN.split(text))


def _page(req: Req, form: Checked, *, status: int = 200) -> Response:
    view = directory.read(req.meta.read(), req.reach.organization_id)
    return page(
        req,
        "accounts/addresses.html",
        status=status,
        form=form,
        everyone="\n".join(view.ip_ranges),
        administration="\n".join(view.admin_ip_ranges),
        address=req.client_ip,
    )
