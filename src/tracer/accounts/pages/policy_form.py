"""The form of a policy: what was typed, and what it means."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from tracer.accounts.policies.model import (
    DAYS,
    ConditionsText,
    Draft,
    HoursText,
    Names,
    PolicyText,
    RequirementsText,
    read,
)
from tracer.errors import Invalid
from tracer.kit.access import MACHINE
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.policy import ActorKind

if TYPE_CHECKING:
    from tracer.kit.forms import Form

PERMISSIONS = tuple(str(scope) for scope in Permission if scope in SCOPES)
#: The highest first; a token of the organization has a role of its own.
ROLES = (*(role for role in reversed(ROLE_GRANTS) if role != MACHINE), MACHINE)
ROLE_NAMES = {MACHINE: "organization’s token"}
KINDS: tuple[ActorKind, ...] = get_args(ActorKind)
DAY_NAMES = tuple(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
MAX_TEXT = 20_000

EMPTY = PolicyText(name="", effect="deny")

_BLANKS = re.compile(r"[,\s]+")
#: The name of an environment may hold blanks.
_LINES = re.compile(r"[,\r\n]+")


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """What stands in the form. `draft` is None, with the `error`, while it is no policy."""

    typed: PolicyText
    draft: Draft | None = None
    error: str = ""
    try_address: str = ""
    try_at: str = ""
    activate: bool = False

    @property
    def digest(self) -> str:
        """Of the policy that stands here: whether it is the one that was tried out."""
        if self.draft is None:
            return ""
        return hashlib.sha256(msgspec.json.encode(replace(self.draft, is_active=True))).hexdigest()


def read_form(form: Form, names: Names, *, was_active: bool) -> PolicyForm:
    """The form as it was sent. A policy that is off stays off unless it is switched on here."""
    activate = form.flag("activate")
    try:
        typed = _typed(form, was_active or activate)
        address, at = form.text("try_address", max=100), form.text("try_at", max=40)
    except Invalid as error:
        return PolicyForm(EMPTY, error=error.detail)
    found = PolicyForm(typed, None, "", address, at, activate)
    try:
        return replace(found, draft=read(typed, names))
    except Invalid as error:
        return replace(found, error=error.detail)


def _typed(form: Form, is_active: bool) -> PolicyText:
    second_factor = form.choice("second_factor", ("with", "without"), "")
    return PolicyText(
        name=form.get("name").replace("\x00", ""),
        effect="require" if form.get("effect") == "require" else "deny",
        conditions=ConditionsText(
            actor_kinds=_kinds(form, "actor_kind"),
            roles=[role for role in form.all("role") if role in ROLE_GRANTS],
            teams=_list(form, "teams"),
            permissions=[name for name in form.all("permission") if name in SCOPES],
            projects=_list(form, "projects"),
            environments=_list(form, "environments", _LINES),
            addresses=_list(form, "addresses"),
            second_factor=None if not second_factor else second_factor == "with",
            hours=_hours(form, "hours"),
        ),
        requirements=RequirementsText(
            addresses=_list(form, "needs_addresses"),
            second_factor=form.flag("needs_second_factor"),
            hours=_hours(form, "needs_hours"),
            actor_kinds=_kinds(form, "needs_kind"),
        )
        if form.get("effect") == "require"
        else RequirementsText(),
        is_active=is_active,
    )


def _kinds(form: Form, name: str) -> list[ActorKind]:
    return [kind for kind in KINDS if kind in form.all(name)]


def _list(form: Form, name: str, between: re.Pattern[str] = _BLANKS) -> list[str]:
    """What was chosen, or typed between commas, blanks or line ends."""
    typed = "\n".join(form.all(name)).replace("\x00", "")
    if len(typed) > MAX_TEXT:
        raise Invalid(f"Use at most {MAX_TEXT} characters.")
    return [text for part in between.split(typed) if (text := part.strip())]


def _hours(form: Form, name: str) -> HoursText | None:
    if not form.flag(name):
        return None
    days: list[Any] = [day for day in DAYS if day in form.all(f"{name}_day")]
    return HoursText(
        days,
        form.text(f"{name}_start", max=5, default="00:00"),
        form.text(f"{name}_end", max=5, default="24:00"),
        form.text(f"{name}_zone", max=60, default="UTC"),
    )
