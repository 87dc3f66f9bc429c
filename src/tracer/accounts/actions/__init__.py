"""Writes of accounts, by subject: organizations, members, users, logins. No HTTP.

Each records itself in the audit log.
"""

from tracer.accounts.actions.invitations import (
    accept_invitation,
    create_join_link,
    invite,
    renew_invitation,
    revoke_invitation,
    set_invited_role,
    use_join_link,
)
from tracer.accounts.actions.logins import (
    delete_expired_logins,
    end_login,
    end_other_logins,
    rotate,
    seen,
    start_login,
)
from tracer.accounts.actions.members import add_member, leave, leave_logins, remove_member, set_role
from tracer.accounts.actions.organizations import (
    create_organization,
    delete_emptied,
    delete_organization,
    rename_organization,
    switch_login,
    update_organization,
)
from tracer.accounts.actions.passwords import (
    create_password_link,
    delete_old_links,
    renew_hash,
    reset_password,
    set_password,
)
from tracer.accounts.actions.teams import (
    add_team_project,
    create_team,
    delete_team,
    put_team_member,
    remove_team_member,
    remove_team_project,
    update_team,
)
from tracer.accounts.actions.users import (
    create_setup_link,
    create_user,
    disable_user,
    set_name,
    set_server_admin,
    set_theme,
    set_up,
)

__all__ = [
    "accept_invitation",
    "add_member",
    "add_team_project",
    "create_join_link",
    "create_organization",
    "create_password_link",
    "create_setup_link",
    "create_team",
    "create_user",
    "delete_emptied",
    "delete_expired_logins",
    "delete_old_links",
    "delete_organization",
    "delete_team",
    "disable_user",
    "end_login",
    "end_other_logins",
    "invite",
    "leave",
    "leave_logins",
    "put_team_member",
    "remove_member",
    "remove_team_member",
    "remove_team_project",
    "rename_organization",
    "renew_hash",
    "renew_invitation",
    "reset_password",
    "revoke_invitation",
    "rotate",
    "seen",
    "set_invited_role",
    "set_name",
    "set_password",
    "set_role",
    "set_server_admin",
    "set_theme",
    "set_up",
    "start_login",
    "switch_login",
    "update_organization",
    "update_team",
    "use_join_link",
]
