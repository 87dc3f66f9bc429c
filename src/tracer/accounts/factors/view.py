"""What the security page shows of second factors: `accounts/_factors.html` and its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer.accounts.factors import flow, queries
from tracer.accounts.factors.model import Device, Factor

if TYPE_CHECKING:
    from tracer.kit.context import Req


@dataclass(frozen=True, slots=True)
class Shown:
    """A user's factors. `lacks`: the organization requires one and this login has shown none.

    `device_ref` is this browser's own entry in `devices`, if it has one.
    """

    factors: list[Factor]
    codes_left: int
    devices: list[Device]
    device_ref: str
    is_required: bool
    lacks: bool
    has_host_name: bool


def context(req: Req) -> dict[str, Any]:
    """The values of the template, under the one name `factors`."""
    reader = req.meta.read()
    user_id = req.actor.user_id or 0
    is_required = flow.is_required(req)
    return {
        "factors": Shown(
            factors=queries.factors(reader, user_id),
            codes_left=queries.recovery_codes_left(reader, user_id),
            devices=queries.devices(reader, user_id),
            device_ref=flow.device_ref(req),
            is_required=is_required,
            lacks=is_required and not req.actor.second_factor,
            has_host_name=flow.has_host_name(req),
        )
    }
