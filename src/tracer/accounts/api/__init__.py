"""The API of accounts, as Sentry shapes it: who asks, organizations, members, teams."""

from tracer.accounts.api import addresses, members, organizations, policies, root, teams, tokens
from tracer.accounts.api.root import scopes

__all__ = ["groups", "scopes"]

groups = (
    root.routes,
    organizations.routes,
    members.routes,
    teams.routes,
    tokens.routes,
    policies.routes,
    addresses.routes,
)
