"""Every setting, with its help. A flag wins over the environment, that over tracer.toml.

An unknown `TRACER_…` name or key refuses to start. What users change in the UI is not here.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from tracer.errors import Invalid
from tracer.settings.reading import READERS

MIB = 1024 * 1024
PREFIX = "TRACER_"
FILE = "tracer.toml"
HIDDEN = "(hidden)"


def _default_data() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base, "tracer").expanduser()


def _about(help_: str, kind: str = "text") -> dict[str, str]:
    return {"help": help_, "kind": kind}


@dataclass(frozen=True, slots=True)
class Settings:
    """One value for each setting. `load` makes it; tests make it directly."""

    data: Path = field(
        default_factory=_default_data,
        metadata=_about("Folder that holds everything tracer stores.", "path"),
    )
    master_key: str = field(
        default="",
        repr=False,
        metadata=_about("Key that encrypts stored secrets: 32 bytes in hex, or new,old.", "secret"),
    )
    master_key_file: str = field(
        default="",
        metadata=_about("File that holds it; without both a key is made in the data folder."),
    )
    host: str = field(
        default="127.0.0.1", metadata=_about("Address to listen on; 0.0.0.0 for every interface.")
    )
    port: int = field(default=9000, metadata=_about("Port to listen on.", "port"))
    url: str = field(
        default="",
        metadata=_about(
            "Public URL, such as https://errors.example.com; taken from requests when empty.", "url"
        ),
    )
    trusted_proxies: tuple[str, ...] = field(
        default=("127.0.0.0/8", "::1/128"),
        metadata=_about(
            "Networks whose X-Forwarded-For and -Proto headers are believed.", "networks"
        ),
    )
    max_body_bytes: int = field(
        default=40 * MIB,
        metadata=_about("Largest body of an ingest request as sent, usually compressed.", "size"),
    )
    max_decoded_bytes: int = field(
        default=100 * MIB, metadata=_about("Largest envelope once decompressed.", "size")
    )
    inflight_bytes: int = field(
        default=64 * MIB,
        metadata=_about("Request bytes held in memory at once; beyond that, 503.", "size"),
    )
    body_timeout_s: int = field(
        default=20,
        metadata=_about(
            "Seconds that the body of a request may take, and one more for each 16 KiB.", "seconds"
        ),
    )
    idle_timeout_s: int = field(
        default=60,
        metadata=_about(
            "Seconds after which a connection without a whole request header is closed.", "seconds"
        ),
    )
    max_connections: int = field(
        default=8192,
        metadata=_about("Connections open at once, idle ones too; more wait.", "many"),
    )
    spool_max_bytes: int = field(
        default=8 * 1024 * MIB,
        metadata=_about("Most bytes that may wait for digest.", "size"),
    )
    spool_max_frames: int = field(
        default=10_000_000, metadata=_about("Most requests that may wait for digest.", "many")
    )
    spool_max_hours: int = field(
        default=24,
        metadata=_about("Hours that the oldest may wait while more is accepted.", "hours"),
    )
    spool_high_percent: int = field(
        default=60,
        metadata=_about(
            "Share of any of these from which on the least important is refused (429).", "percent"
        ),
    )
    disk_floor_bytes: int = field(
        default=2048 * MIB,
        metadata=_about("Free disk space below which nothing more is accepted (503).", "size"),
    )
    disk_floor_percent: int = field(
        default=5,
        metadata=_about(
            "The same as a share of the file system; the less of both counts.", "share"
        ),
    )
    spike_floor_events: int = field(
        default=10_000,
        metadata=_about(
            "Errors an hour of one project that are never a spike; 0 switches the protection off.",
            "number",
        ),
    )
    duckdb_memory: str = field(
        default="128MB", metadata=_about("Memory limit of the event store.", "memory")
    )
    duckdb_threads: int = field(
        default=2, metadata=_about("Threads of one event-store query.", "count")
    )
    digest_processes: int = field(
        default=1,
        metadata=_about(
            "Processes that help to digest while much comes in; 0 never starts one.", "number"
        ),
    )
    digest_frame_s: int = field(
        default=5,
        metadata=_about("Seconds that digest gives one request before it is set aside.", "count"),
    )
    dead_letters_max_bytes: int = field(
        default=512 * MIB,
        metadata=_about("Most bytes of dead letters; beyond that the oldest go.", "size"),
    )
    dead_letters_days: int = field(
        default=30, metadata=_about("Days that a dead letter is kept; 0 for ever.", "days")
    )
    backup_folder: str = field(
        default="",
        metadata=_about("Folder that backups go to; `backups` in the data folder when empty."),
    )
    backup_every_hours: int = field(
        default=0,
        metadata=_about("Hours between backups by schedule; 0 makes none.", "days"),
    )
    backup_keep: int = field(
        default=7,
        metadata=_about("Backups that are kept when one by schedule is made.", "count"),
    )
    web_threads: int = field(
        default=6, metadata=_about("Threads that answer pages and API requests.", "count")
    )
    signing_key_days: int = field(
        default=90,
        metadata=_about(
            "Days after which a new key signs access tokens; 0 never does so by itself.", "days"
        ),
    )
    signing_key_overlap_days: int = field(
        default=370,
        metadata=_about("Days that a key so replaced goes on verifying tokens.", "days"),
    )
    metrics: str = field(
        default="local",
        metadata=_about(
            "Who may read /metrics: off, local (this machine) or token (metrics_token).", "metrics"
        ),
    )
    metrics_token: str = field(
        default="",
        repr=False,
        metadata=_about("What a reader of /metrics shows as bearer token.", "secret"),
    )
    stall_after_s: int = field(
        default=15,
        metadata=_about("Seconds without progress after which a stall is announced.", "seconds"),
    )
    own_errors: str = field(
        default="on",
        metadata=_about("Whether tracer reports its own errors to its own project.", "switch"),
    )
    otlp_endpoint: str = field(
        default="",
        metadata=_about(
            "Where tracer sends its own traces, such as https://otel.example.com/v1/traces.",
            "endpoint",
        ),
    )
    otlp_headers: str = field(
        default="",
        repr=False,
        metadata=_about("Headers sent along with them: name=value,name=value.", "secret"),
    )
    log_level: str = field(
        default="info",
        metadata=_about("How much is logged: debug, info, warning or error.", "level"),
    )
    log_format: str = field(
        default="console", metadata=_about("How it is logged: console or json.", "format")
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A setting as it is: where its value came from and what it does."""

    name: str
    value: Any
    source: str
    help: str


def load(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Settings, list[Source]]:
    """The settings and their sources. Invalid names an unknown setting or a value that is wrong.

    `flags` hold only what was given on the command line. `data` cannot come from tracer.toml,
    which lies in it.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, tuple[Any, str]] = {}
    for name, text in _from_environment(environment).items():
        found[name] = (text, PREFIX + name.upper())
    for name, value in (flags or {}).items():
        found[name] = (value, "--" + name.replace("_", "-"))
    data = _read("data", *found["data"]) if "data" in found else _default_data()
    for name, value in _from_file(data).items():
        found.setdefault(name, (value, FILE))
    values: dict[str, Any] = {}
    sources = []
    for entry in fields(Settings):
        if entry.name in found:
            value, source = found[entry.name]
            values[entry.name] = value = _read(entry.name, value, source)
        else:
            source = "default"
            value = (
                entry.default_factory() if entry.default_factory is not MISSING else entry.default
            )
        seen = HIDDEN if value and entry.metadata["kind"] == "secret" else value
        sources.append(Source(entry.name, seen, source, entry.metadata["help"]))
    return Settings(**values), sources


def shown(value: Any) -> str:
    """A value as it would be written in the environment."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, int) and value >= MIB:
        for unit, size in (("GiB", 1024 * MIB), ("MiB", MIB)):
            if value % size == 0:
                return f"{value // size}{unit}"
    return str(value)


def _names() -> dict[str, str]:
    return {entry.name: entry.metadata["kind"] for entry in fields(Settings)}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = _names()
    values = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known or variable != PREFIX + name.upper():
            suggestion = _suggest(name, {n: PREFIX + n.upper() for n in known})
            raise Invalid(f"Unknown setting {variable} in the environment. {suggestion}")
        values[name] = text
    return values


def _from_file(data: Path) -> dict[str, Any]:
    path = data / FILE
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        raise Invalid(f"{path} cannot be read.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: {error}") from None
    known = _names()
    for name in content:
        if name == "data":
            raise Invalid(f"{path}: the data folder cannot be set from inside itself.")
        if name not in known:
            suggestion = _suggest(name, {n: n for n in known if n != "data"})
            raise Invalid(f"Unknown setting {name!r} in {path}. {suggestion}")
    return content


def _suggest(name: str, known: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.6)
    return f"Did you mean {known[close[0]]}?" if close else f"Known: {', '.join(known.values())}."


def _read(name: str, value: Any, source: str) -> Any:
    """A value in the type of its field. Invalid says which setting is wrong, and why."""
    try:
        return READERS[_names()[name]](value)
    except (ValueError, TypeError) as error:
        raise Invalid(f"{source}: {error}") from None
