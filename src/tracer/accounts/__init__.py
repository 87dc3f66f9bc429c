"""Accounts: users, organizations, members, logins, API tokens, the set-up link."""

from __future__ import annotations

from tracer.accounts import api, pages, tasks
from tracer.accounts.factors import tasks as factor_tasks
from tracer.accounts.tokens import tasks as token_tasks
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission
from tracer.kit.tasks import Every

FEATURE = Feature(
    name="accounts",
    routes=(*pages.groups, *api.groups),
    tasks={"accounts.send_reset_link": tasks.send_reset_link, "accounts.tell": tasks.tell},
    every=(
        Every(30, tasks.write_failures),
        Every(6 * 3600, tasks.delete_expired_logins),
        Every(6 * 3600, token_tasks.tend_tokens),
        Every(3600, factor_tasks.delete_expired),
        Every(60, factor_tasks.write_refusals),
    ),
    settings=(
        SettingsLink("General", "/settings/", "settings", "organization", 10, Permission.ORG_READ),
        SettingsLink("Members", "/members/", "users", "organization", 20, Permission.MEMBER_READ),
        SettingsLink("Teams", "/teams/", "user-check", "organization", 30, Permission.TEAM_READ),
        SettingsLink("Organizations", "/organizations/", "layers", "account", 40),
        SettingsLink("Account", "/account/", "user", "account", 10),
        SettingsLink("Security", "/account/security/", "shield", "account", 20),
        SettingsLink("API tokens", "/account/tokens/", "key-round", "account", 30),
        SettingsLink(
            "Policies", "/settings/policies/", "shield", "organization", 50, Permission.ORG_ADMIN
        ),
        SettingsLink(
            "Addresses", "/settings/addresses/", "globe", "organization", 60, Permission.ORG_ADMIN
        ),
        SettingsLink(
            "Tokens", "/settings/tokens/", "key-round", "organization", 40, Permission.ORG_WRITE
        ),
    ),
)
