from __future__ import annotations

import itertools

from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission, granted

P = Permission


def test_each_role_holds_what_the_next_lower_one_does() -> None:
    roles = ["viewer", "member", "admin", "manager", "owner"]
    for lower, higher in itertools.pairwise(roles):
        assert ROLE_GRANTS[lower] < ROLE_GRANTS[higher]


def test_viewer_only_reads() -> None:
    assert all(scope.endswith(":read") for scope in granted("viewer"))


def test_token_never_exceeds_its_owners_role() -> None:
    assert granted("viewer", ["event:admin", "org:admin"]) == {P.EVENT_READ, P.ORG_READ}


def test_token_holds_the_weaker_scopes_of_its_kind_only() -> None:
    assert granted("owner", ["event:admin"]) == {P.EVENT_READ, P.EVENT_WRITE, P.EVENT_ADMIN}
    assert granted("owner", ["project:releases"]) == {P.PROJECT_RELEASES}


def test_scope_of_builds_holds_what_builds_do_where_the_role_does() -> None:
    assert granted("member", ["org:ci"]) == {P.ORG_CI, P.PROJECT_RELEASES}
    assert granted("organization", ["org:ci"]) == {P.ORG_CI, P.PROJECT_RELEASES}
    assert granted("viewer", ["org:ci"]) == frozenset()


def test_unknown_roles_and_scopes_grant_nothing() -> None:
    assert granted("emperor") == frozenset()
    assert granted("owner", ["logged_in", "public", "everything", ""]) == frozenset()


def test_no_role_grants_what_is_no_scope() -> None:
    assert all(grants <= SCOPES for grants in ROLE_GRANTS.values())
