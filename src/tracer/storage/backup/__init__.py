"""Backups of a data folder: made while the server works, checked, and brought back."""

from __future__ import annotations

from tracer.storage.backup.make import Made, Sources, find, listing, make, prune
from tracer.storage.backup.manifest import Manifest
from tracer.storage.backup.verify import check, restore

__all__ = ["Made", "Manifest", "Sources", "check", "find", "listing", "make", "prune", "restore"]
