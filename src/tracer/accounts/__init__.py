"""Accounts: users, organizations, members, logins, API tokens, the set-up link."""

from __future__ import annotations

from tracer.accounts import api, pages, tasks
from tracer.kit.feature import Feature, Nav
from tracer.kit.permissions import Permission
from tracer.kit.tasks import Every

FEATURE = Feature(
    name="accounts",
    routes=(*pages.groups, api.routes),
    every=(Every(6 * 3600, tasks.delete_expired_logins),),
    nav=Nav("Members", "/members/", "users", order=80, can=Permission.MEMBER_READ),
)
