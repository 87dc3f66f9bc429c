"""Hostile text as the name of everything that has one, written straight into the database.

No form would take it: pages must not rely on that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from security.hostile import EVIL, URL

#: The secrets of an open invitation and of a link to join.
INVITATION, JOINING = "open-invitation-0123456789", "open-joining-0123456789"

_SOMEBODY = "(SELECT min(id) FROM users)"
_HOME = "(SELECT min(id) FROM organizations)"

STATEMENTS = (
    "UPDATE organizations SET name = :evil, join_domains = json_array('x.example', :evil)",
    "UPDATE users SET name = :evil, is_server_admin = 1",
    "UPDATE projects SET name = :evil, platform = :evil",
    "UPDATE project_keys SET label = :evil",
    f"UPDATE issues SET resolved_in = :evil, assignee_id = {_SOMEBODY}",
    "UPDATE logins SET user_agent = :evil, address = :evil",
    "INSERT INTO users (email, name, created_at) VALUES ('a' || :evil, :evil, :now)",
    f"INSERT INTO members (organization_id, user_id, role, created_at)"
    f" SELECT {_HOME}, max(id), 'viewer', :now FROM users",
    f"INSERT INTO logins (token_hash, user_id, organization_id, csrf, address, user_agent,"
    f" created_at, seen_at, expires_at)"
    f" VALUES ('x', {_SOMEBODY}, {_HOME}, 'x', :evil, :evil, :now, :now, :now + 86400000)",
    f"INSERT INTO teams (organization_id, slug, name, created_at)"
    f" VALUES ({_HOME}, 'evil', :evil, :now)",
    "INSERT INTO team_members (team_id, user_id, created_at)"
    " SELECT t.id, u.id, :now FROM teams t, users u WHERE t.slug = 'evil'",
    "INSERT INTO team_projects SELECT t.id, p.id FROM teams t, projects p WHERE t.slug = 'evil'",
    f"INSERT INTO tokens (jti, kid, kind, user_id, organization_id, name, scopes, created_at,"
    f" used_at, used_address) VALUES ('evil1', 'k', 'personal', {_SOMEBODY}, {_HOME}, :evil,"
    f" 'event:read', :now, :now, :evil)",
    f"INSERT INTO tokens (jti, kid, kind, user_id, organization_id, name, scopes, created_at,"
    f" used_at, used_address) VALUES ('evil2', 'k', 'organization', {_SOMEBODY}, {_HOME}, :evil,"
    f" 'event:read ' || :evil, :now, :now, :evil)",
    f"INSERT INTO invitations (organization_id, email, role, token_hash, invited_by, created_at,"
    f" expires_at) VALUES ({_HOME}, :evil, 'member', :invitation, {_SOMEBODY}, :now,"
    f" :now + 86400000)",
    f"INSERT INTO account_links (token_hash, kind, organization_id, email, created_at, expires_at)"
    f" VALUES (:joining, 'join', {_HOME}, 'a@x.example', :now, :now + 86400000)",
    f"INSERT INTO second_factors (user_id, kind, name, credential_id, public_key, created_at)"
    f" VALUES ({_SOMEBODY}, 'passkey', :evil, x'01', x'01', :now)",
    f"INSERT INTO remembered_devices (token_hash, user_id, address, user_agent, created_at,"
    f" used_at, expires_at) VALUES ('d', {_SOMEBODY}, :evil, :evil, :now, :now,"
    f" :now + 86400000)",
    f"INSERT INTO policies (organization_id, name, effect, conditions, is_active, created_at,"
    f" changed_at) VALUES ({_HOME}, :evil, 'deny', :conditions, 0, :now, :now)",
    "INSERT INTO mail_settings (id, host, port, security, username, sender, changed_at)"
    " VALUES (1, :evil, 25, 'none', :evil, :evil, :now)",
    f"INSERT INTO audit (at, organization_id, actor_kind, actor_id, actor, address, device,"
    f" action, object_type, object_id, object, before, after, hash)"
    f" VALUES (:now, {_HOME}, 'user', {_SOMEBODY}, :evil, :evil, :evil, :evil, :evil, :evil,"
    f" :evil, :told, :told, x'00')",
    *(
        f"INSERT INTO issue_activity (issue_id, user_id, kind, data, created_at)"
        f" SELECT id, {_SOMEBODY}, '{kind}', :told, :now FROM issues"
        for kind in ("comment", "assigned", "resolved", "nonsense")
    ),
)


def poison(execute: Callable[[str, Mapping[str, Any]], object], now_ms: int) -> None:
    """Runs the statements: `execute` takes SQL with named parameters."""
    told = {"text": EVIL, "user": EVIL, "release": EVIL, "url": URL, EVIL: [EVIL, {EVIL: EVIL}]}
    conditions = {"environments": [EVIL]}
    values = {
        "evil": EVIL,
        "now": now_ms,
        "told": json.dumps(told),
        "conditions": json.dumps(conditions),
        "invitation": hashlib.sha256(INVITATION.encode()).hexdigest(),
        "joining": hashlib.sha256(JOINING.encode()).hexdigest(),
    }
    for sql in STATEMENTS:
        execute(sql, {name: value for name, value in values.items() if f":{name}" in sql})
