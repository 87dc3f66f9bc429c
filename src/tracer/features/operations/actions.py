"""Writes: the organization and project of this server itself, and who belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.accounts import actions as accounts
from tracer.accounts import queries as account_queries
from tracer.features.operations import queries
from tracer.features.operations.queries import OwnProject
from tracer.kit import noted
from tracer.kit.status import DAY_MS, DISK_FACT, disk_samples
from tracer.projects import actions as projects

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

SLUG = "tracer-server"
NAME = "This server"
PROJECT = ("tracer", "tracer")
ROLE = "owner"
DISK_DAYS = 7


def make_own_project(tx: Tx) -> OwnProject:
    """An organization of its own, so that nobody but who administers the server sees it."""
    found = queries.own_project(tx)
    if found is not None:
        return found
    organization_id = accounts.create_organization(tx, _free_slug(tx), NAME)
    slug, name = PROJECT
    project = projects.create_project(tx, organization_id, slug, name, "python")
    noted.note(tx, queries.OWN_FACT, str(project.id))
    made = queries.own_project(tx)
    if made is None:
        raise RuntimeError("the project was not made")
    keep_members(tx, made)
    return made


def keep_members(tx: Tx, own: OwnProject) -> None:
    """Members are those who administer the server, and nobody else."""
    wanted = queries.server_admin_ids(tx)
    there = account_queries.members(tx, own.organization_id)
    for user_id in wanted - {member.user_id for member in there}:
        accounts.add_member(tx, own.organization_id, user_id, ROLE)
    for member in there:
        if member.user_id not in wanted:
            accounts.remove_member(tx, own.organization_id, member, by=ROLE)


def note_free_space(tx: Tx, free_bytes: int) -> None:
    """Remember how much is free, for the days until the disk is full."""
    samples = [pair for pair in disk_samples(tx) if pair[0] > tx.now_ms - DISK_DAYS * DAY_MS]
    samples.append((tx.now_ms, free_bytes))
    noted.note(tx, DISK_FACT, msgspec.json.encode(samples).decode())


def _free_slug(tx: Tx) -> str:
    number, slug = 1, SLUG
    while queries.slug_is_taken(tx, slug):
        number += 1
        slug = f"{SLUG}-{number}"
    return slug
