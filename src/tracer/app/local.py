"""Commands on a data folder: by the server that runs on it, else by opening the folder here."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.app import (
    access_commands,
    account_commands,
    factor_commands,
    founding,
    letters,
    mail_commands,
    organization_commands,
    project_commands,
    quota_commands,
    secret_commands,
    showcase,
    spool_commands,
    token_commands,
    trail,
)
from tracer.errors import Conflict
from tracer.kit import control
from tracer.storage.folder import Folder
from tracer.storage.keyring import Keyring
from tracer.storage.meta import Meta
from tracer.storage.readonly import reading
from tracer.storage.vault import used_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracer.settings import Settings
    from tracer.storage.spool import Spool
    from tracer.storage.vault import Vault

PATIENCE_S = 10.0
#: What can be done when a master key is missing: seeing it, and giving up what it sealed.
WITHOUT_KEY = frozenset({"secrets_status", "secrets_forget_lost"})


def url_of(settings: Settings) -> str:
    """Where people find the server of these settings."""
    if settings.url:
        return settings.url
    host = settings.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def open_vault(
    folder: Folder, settings: Settings, meta: Meta, *, with_missing: bool = False
) -> Vault:
    """The vault with the master keys of these settings. The folder must be locked.

    Invalid when a key is missing that something is sealed with, unless `with_missing`.
    """
    path = settings.master_key_file
    ring = Keyring(
        folder.master_key_path,
        given=settings.master_key,
        key_file=Path(path).expanduser().absolute() if path else None,
        used=used_keys(meta.read()),
    )
    if not with_missing:
        ring.check()
    return ring.vault()


def open_spool(folder: Folder, settings: Settings) -> Spool:
    """The spool with the bounds of these settings. The folder must be locked."""
    from tracer.storage.disk import Floor
    from tracer.storage.spool import Bounds, Capacity, Spool

    return Spool(
        folder.spool,
        capacity=Capacity(
            settings.spool_max_bytes,
            settings.spool_max_frames,
            settings.spool_max_hours * 3600,
            settings.spool_high_percent,
        ),
        floor=Floor(
            (folder.spool, folder.meta, folder.events, folder.blobs),
            settings.disk_floor_bytes,
            settings.disk_floor_percent,
        ),
        letters=Bounds(settings.dead_letters_max_bytes, settings.dead_letters_days),
    )


def commands(
    meta: Meta, vault: Vault, url: str, spool: Callable[[], Spool]
) -> Mapping[str, control.Command]:
    """What can be asked of a server through its control socket."""
    return {
        "setup": partial(founding.set_up, meta, url),
        "token": partial(token_commands.create, meta, vault),
        "token_list": partial(token_commands.listing, meta),
        "token_revoke": partial(token_commands.revoke, meta),
        "token_rotate": partial(token_commands.rotate, meta, vault),
        "keys_list": partial(token_commands.key_listing, meta),
        "keys_rotate": partial(token_commands.rotate_key, meta, vault),
        "secrets_status": partial(secret_commands.status, meta, vault),
        "secrets_rotate": partial(secret_commands.rotate, meta, vault),
        "secrets_forget_lost": partial(secret_commands.forget_lost, meta, vault),
        "mail_set": partial(mail_commands.set_server, meta, vault),
        "mail_show": partial(mail_commands.show, meta),
        "mail_test": partial(mail_commands.send_test, meta, vault),
        "mail_remove": partial(mail_commands.remove, meta, vault),
        "reset_second_factor": partial(factor_commands.reset, meta, vault),
        "demo_project": partial(showcase.open_project, meta, url),
        "demo_triage": partial(showcase.triage, meta),
        **access_commands.commands(meta),
        **quota_commands.commands(meta),
        **account_commands.commands(meta, vault, url),
        **organization_commands.commands(meta),
        **project_commands.commands(meta, url),
        **spool_commands.commands(meta, spool),
        **trail.commands(meta),
        **letters.commands(meta, spool),
    }


def look(settings: Settings, function: Callable[..., Any], /, **arguments: Any) -> Any:
    """`function(reader, …)` on a connection that cannot write, past the server if one runs.
    NotFound, Invalid: there is nothing to read, or another version wrote it."""
    with reading(Folder(settings.data).meta) as reader:
        return function(reader, **arguments)


def known_url(settings: Settings) -> str:
    """Where people find the server that runs on the folder; without one, `url_of`."""
    holder = Folder(settings.data).holder()
    return holder.url if holder is not None and holder.url else url_of(settings)


def run(settings: Settings, command: str, **arguments: Any) -> Any:
    """Run a command; waits while another process is just starting or ending on the folder."""
    folder = Folder(settings.data)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = control.call(folder.control, command, **arguments)
        if answer is not None:
            return answer
        try:
            folder.lock()
            break
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    with ExitStack() as stack:
        stack.callback(folder.unlock)
        meta = Meta(folder.meta, audit_key=folder.audit_key())
        stack.callback(meta.close)
        vault = open_vault(folder, settings, meta, with_missing=command in WITHOUT_KEY)

        def spool() -> Spool:
            opened = open_spool(folder, settings)
            stack.callback(opened.close)
            return opened

        known = commands(meta, vault, url_of(settings), spool)
        return control.run(known[command], **arguments)
