"""Puts the application together: opens the stores in order, closes them in the opposite order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from tracer import assets, manifest
from tracer.accounts import actions as account_actions
from tracer.accounts import queries as account_queries
from tracer.accounts.tokens.door import Tokens
from tracer.accounts.tokens.model import TokensChanged
from tracer.app import local, observing
from tracer.app.backups import Backups
from tracer.app.doctor import repairs
from tracer.app.founding import Founded, found
from tracer.ingest.careful import Careful
from tracer.ingest.digest import Digest, Stores, after_each
from tracer.ingest.intake import Intake
from tracer.ingest.lanes import BusyLane, Lane, ProcessLane, ThreadLane
from tracer.ingest.mark import Mark
from tracer.ingest.prepare import Workshop
from tracer.ingest.quotas import Quotas
from tracer.ingest.shedding import Announcer, Shedding
from tracer.ingest.solo import Equipment, Solo
from tracer.ingest.spikes import Spikes
from tracer.kit import api_pages, live, status
from tracer.kit.check import check
from tracer.kit.context import Tracer
from tracer.kit.control import Command, Control
from tracer.kit.feature import Feature
from tracer.kit.guard import Doors, Guard
from tracer.kit.live import Live
from tracer.kit.metrics import Metrics
from tracer.kit.network import Network
from tracer.kit.own_errors import OwnErrors
from tracer.kit.routes import Table
from tracer.kit.samples import Samples
from tracer.kit.site import Site
from tracer.kit.static import Static
from tracer.kit.tasks import Every
from tracer.kit.templates import Templates
from tracer.kit.worker import Worker
from tracer.projects.keys import KeyCache
from tracer.projects.model import KeysChanged
from tracer.settings import Settings
from tracer.storage.blobs import Blobs
from tracer.storage.codec import Codec
from tracer.storage.events.rescue import open_events
from tracer.storage.folder import Folder
from tracer.storage.meta import Meta
from tracer.storage.tables import EVENTS, PAYLOADS

log = logging.getLogger("tracer.app")

DIGEST_STOP_S = 3.0
WORKER_STOP_S = 1.0
SEEN_EVERY_S = 60.0
RENEW_LOOK_S = 10.0
BACKUP_LOOK_S = 60.0


class Application:
    """One server. `site` is its ASGI application; starting it opens the stores."""

    def __init__(self, settings: Settings, features: Sequence[Feature]) -> None:
        self.settings = settings
        self.features = tuple(features)
        self.folder = Folder(settings.data)
        self.founded: Founded | None = None
        self._stack = ExitStack()
        self._backups: Backups | None = None
        self._after = [entry for feature in self.features for entry in feature.after]
        self._after.append((KeysChanged, lambda tracer, _: tracer.keys.refresh(tracer.meta.read())))
        self._after.append(
            (KeysChanged, lambda tracer, _: tracer.quotas.refresh(tracer.meta.read()))
        )
        self._after.append(
            (live.AccessChanged, lambda tracer, fact: tracer.live.recheck(fact.organization_id))
        )
        groups = [group for feature in self.features for group in feature.routes]
        self.table = Table([*groups, api_pages.routes, live.routes])
        check(self.features, self.table)
        self.static = Static(assets.STATIC)
        self.tokens = Tokens()
        self._after.append((TokensChanged, self._reread_tokens))
        self.guard = Guard(
            Doors(
                account_queries.identity_by_login,
                self.tokens.identity,
                account_actions.seen,
            )
        )
        self.site = Site(
            self.table,
            self.guard,
            self.static,
            threads=settings.web_threads,
            metrics=Metrics(),
            samples=Samples(),
            open=self.open,
            close=self.close,
        )

    @property
    def url(self) -> str:
        """Where people find this server."""
        return local.url_of(self.settings)

    def open(self) -> Tracer:
        """Open everything and begin to digest. Conflict, Invalid: the folder cannot be had."""
        with ExitStack() as stack:
            self.folder.lock(self.url)
            stack.callback(self.folder.unlock)
            tracer = self._open_stores(stack)
            self._start_threads(stack, tracer)
            self._stack = stack.pop_all()
        return tracer

    def close(self, _tracer: Tracer) -> None:
        """Finish the batch under way, then close what `open` opened."""
        self._stack.close()

    def _open_stores(self, stack: ExitStack) -> Tracer:
        settings, folder = self.settings, self.folder
        meta = Meta(folder.meta, audit_key=folder.audit_key())
        stack.callback(meta.close)
        vault = local.open_vault(folder, settings, meta)
        self.founded = found(meta, self.url)
        spool = local.open_spool(folder, settings)
        stack.callback(spool.close)
        events = open_events(
            folder.events,
            memory_limit=settings.duckdb_memory,
            threads=settings.duckdb_threads,
            temp=folder.temp,
        )
        stack.callback(events.close)
        events.prepare((EVENTS, PAYLOADS))
        keys = KeyCache()
        keys.refresh(meta.read())
        self.tokens.refresh(meta.read())
        return Tracer(
            settings=settings,
            meta=meta,
            events=events,
            spool=spool,
            blobs=Blobs(folder.blobs),
            codec=Codec(_dictionaries(meta)),
            keys=keys,
            live=Live(),
            guard=self.guard,
            worker=self._worker(),
            network=Network(
                trusted_proxies=settings.trusted_proxies, url=settings.url, port=settings.port
            ),
            templates=self._templates(),
            table=self.table,
            secret=folder.secret(),
            vault=vault,
            metrics=self.site.metrics,
            samples=self.site.samples,
            watch=observing.watch(settings),
            own_errors=OwnErrors(),
        )

    def _start_threads(self, stack: ExitStack, tracer: Tracer) -> None:
        settings = self.settings
        intake = tracer.intake = Intake(
            max_body_bytes=settings.max_body_bytes,
            max_decoded_bytes=settings.max_decoded_bytes,
            inflight_bytes=settings.inflight_bytes,
            body_timeout_s=settings.body_timeout_s,
        )
        stack.callback(intake.close)
        tracer.shedding = Shedding(intake)
        tracer.spool.tell_levels(Announcer())
        handlers = {
            kind: handler for feature in self.features for kind, handler in feature.items.items()
        }
        workshop = Workshop(handlers, intake.limits, settings.max_decoded_bytes, tracer.codec)
        equipment = Equipment(handlers, settings.max_decoded_bytes, _dictionaries(tracer.meta))
        tracer.solo = Solo(equipment, settings.digest_frame_s)
        stack.callback(tracer.solo.close)
        mark = Mark(self.folder.mark)
        careful = Careful(workshop, mark, Solo(equipment, settings.digest_frame_s))
        quiet = ThreadLane(careful, after_each(intake.pause_s))
        lane: Lane = quiet
        if settings.digest_processes:
            solo = Solo(equipment, settings.digest_frame_s)
            lane = BusyLane(quiet, ProcessLane(equipment, settings.digest_processes, solo))
        stores = Stores(tracer.meta, tracer.events, tracer.spool, tracer.blobs, mark)
        quotas = tracer.quotas = Quotas()
        quotas.refresh(tracer.meta.read())
        spikes = Spikes(settings.spike_floor_events, tracer.keys.is_protected)
        digest = Digest(stores, lane, handlers, tracer.keys, intake.refusals, quotas, spikes)  # type: ignore[arg-type]
        tracer.digest = digest
        tracer.meta.on_commit = partial(self._hear, tracer)
        stack.callback(self.guard.flush, tracer.meta)
        digest.start()
        stack.callback(digest.stop, DIGEST_STOP_S)
        tracer.worker.start(tracer)
        stack.callback(tracer.worker.stop, WORKER_STOP_S)
        made = self._backups = Backups(tracer)
        stack.callback(made.stop)
        commands = local.commands(tracer.meta, tracer.vault, self.url, lambda: tracer.spool)
        own = {"status": partial(status.gather, tracer)}
        checks = self._doctor(tracer, digest)
        control = Control(self.folder.control, {**commands, **own, **made.commands(), **checks})
        control.start()
        stack.callback(control.stop)
        observing.observe(stack, tracer)

    def _doctor(self, tracer: Tracer, digest: Digest) -> Mapping[str, Command]:
        """What `tracer doctor` asks of a running server."""

        def settled() -> None:
            digest.imbalance = False

        stores = repairs.Stores(self.folder, tracer.meta, lambda: tracer.events, settled)
        return repairs.commands(stores)

    def _hear(self, tracer: Tracer, facts: list[Any]) -> None:
        """Tell each feature of the committed facts it asked for; one's failure harms no other."""
        for fact in facts:
            for kind, function in self._after:
                if type(fact) is kind:
                    _tell(function, tracer, fact)

    def _reread_tokens(self, tracer: Tracer, _fact: TokensChanged) -> None:
        self.tokens.refresh(tracer.meta.read())

    def _worker(self) -> Worker:
        tasks = {name: task for feature in self.features for name, task in feature.tasks.items()}
        schedule = [every for feature in self.features for every in feature.every]
        schedule.append(Every(RENEW_LOOK_S, _renew_events))
        schedule.append(Every(SEEN_EVERY_S, lambda tracer: tracer.guard.flush(tracer.meta)))
        schedule.append(Every(BACKUP_LOOK_S, self._if_backup_is_due))
        return Worker(tasks, schedule)

    def _if_backup_is_due(self, tracer: Tracer) -> None:
        if self._backups is not None:
            self._backups.if_due(tracer)

    def _templates(self) -> Templates:
        return Templates(
            assets.TEMPLATES,
            static=self.static.url,
            nav=[feature.nav for feature in self.features if feature.nav is not None],
            slots=[slot for feature in self.features for slot in feature.slots],
            settings=[link for feature in self.features for link in feature.settings],
        )


def build(settings: Settings, features: Sequence[Feature] | None = None) -> Application:
    """The application of these settings; nothing is opened yet."""
    return Application(settings, manifest.FEATURES if features is None else features)


def _tell(function: Callable[[Tracer, Any], None], tracer: Tracer, fact: object) -> None:
    try:
        function(tracer, fact)
    except Exception:
        log.exception("%s was not heard", type(fact).__name__)


def _renew_events(tracer: Tracer) -> None:
    tracer.events.renew_if_due()


def _dictionaries(meta: Meta) -> dict[int, bytes]:
    return dict(meta.read().rows("SELECT id, body FROM dictionaries"))
