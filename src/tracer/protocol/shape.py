"""The shape of a well-formed event as it arrives, for msgspec to check while it decodes.

An event that fits (nearly all do) needs no look at single fields afterwards. What does not fit is
repaired, interface by interface, into the same shape by `tracer.protocol.interfaces`. Limits are in
characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

MAX_DEPTH = 7  # containers inside each other in vars, extra, contexts, data and so on
MAX_EXCEPTIONS = 50
MAX_FRAMES = 250
MAX_THREADS = 100
MAX_BREADCRUMBS = 200
MAX_CONTEXTS = 100
MAX_MODULES = 1000
MAX_IMAGES = 1000
MAX_FINGERPRINT = 32
MAX_LOOKED_AT = 1000  # tags of an SDK, before the limit on kept ones
MAX_CONTEXT_LINES = 10
MAX_LINE = 256
MAX_SHORT = 256
MAX_TEXT = 1024
MAX_PATH = 2048
MAX_MESSAGE = 8192
MAX_NUMBER = 2**31 - 1

if TYPE_CHECKING:
    Json = Any
    JsonObject = dict[str, Any]
else:

    def _nested(depth: int) -> object:
        kind = str | int | float | bool | None
        for _ in range(depth):
            kind = str | int | float | bool | dict[str, kind] | list[kind] | None
        return kind

    Json = _nested(MAX_DEPTH)
    JsonObject = dict[str, _nested(MAX_DEPTH - 1)]

Short = Annotated[str, Meta(max_length=MAX_SHORT)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Path = Annotated[str, Meta(max_length=MAX_PATH)]
Message = Annotated[str, Meta(max_length=MAX_MESSAGE)]
Line = Annotated[str, Meta(max_length=MAX_LINE)]
Lines = Annotated[list[Line], Meta(max_length=MAX_CONTEXT_LINES)]
Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Identity = int | Short
Moment = int | float | Short


class Frame(TypedDict, total=False):
    """One frame; unknown keys are dropped, as Relay does."""

    filename: Text | None
    abs_path: Path | None
    module: Text | None
    function: Text | None
    raw_function: Text | None
    lineno: Number | None
    colno: Number | None
    pre_context: Lines | None
    context_line: Line | None
    post_context: Lines | None
    vars: JsonObject | None
    in_app: bool | None
    package: Text | None
    platform: Short | None
    symbol: Text | None
    instruction_addr: Short | None
    symbol_addr: Short | None
    image_addr: Short | None
    addr_mode: Short | None
    trust: Short | None
    source_link: Path | None
    lock: JsonObject | None
    data: JsonObject | None
    stack_start: bool | None


class Stack(TypedDict, total=False):
    """Frames from the oldest call to the newest."""

    frames: Annotated[list[Frame], Meta(max_length=MAX_FRAMES)] | None
    registers: dict[str, Short | None] | None
    frames_omitted: Annotated[list[Number], Meta(min_length=2, max_length=2)] | None
    snapshot: bool | None


class Mechanism(TypedDict, total=False):
    type: Short | None
    handled: bool | None
    synthetic: bool | None
    description: Message | None
    help_link: Path | None
    source: Short | None
    exception_id: Number | None
    parent_id: Number | None
    is_exception_group: bool | None
    data: JsonObject | None
    meta: JsonObject | None


class ExceptionValue(TypedDict, total=False):
    type: Short | None
    value: Message | None
    module: Short | None
    thread_id: Identity | None
    mechanism: Mechanism | None
    stacktrace: Stack | None
    raw_stacktrace: Stack | None


class Thread(TypedDict, total=False):
    id: Identity | None
    name: Text | None
    crashed: bool | None
    current: bool | None
    main: bool | None
    state: Short | None
    held_locks: JsonObject | None
    stacktrace: Stack | None
    raw_stacktrace: Stack | None


class Breadcrumb(TypedDict, total=False):
    timestamp: Moment | None
    type: Short | None
    category: Short | None
    level: Short | None
    message: Message | None
    origin: Short | None
    event_id: Short | None
    data: JsonObject | None


Exceptions = Annotated[list[ExceptionValue], Meta(max_length=MAX_EXCEPTIONS)]
Threads = Annotated[list[Thread], Meta(max_length=MAX_THREADS)]
Breadcrumbs = Annotated[list[Breadcrumb], Meta(max_length=MAX_BREADCRUMBS)]


class ExceptionValues(TypedDict):
    values: Exceptions


class ThreadValues(TypedDict):
    values: Threads


class BreadcrumbValues(TypedDict):
    values: Breadcrumbs


class LogEntry(TypedDict, total=False):
    message: Message | None
    formatted: Message | None
    params: Json


class Request(TypedDict, total=False):
    url: Path | None
    method: Short | None
    query_string: Message | JsonObject | list[list[Text | None]] | None
    headers: dict[str, Message | None] | list[list[Message | None]] | None
    cookies: Message | dict[str, Message | None] | list[list[Message | None]] | None
    data: Json
    env: JsonObject | None
    fragment: Path | None
    inferred_content_type: Short | None


class DebugMeta(TypedDict, total=False):
    images: Annotated[list[JsonObject], Meta(max_length=MAX_IMAGES)] | None
    sdk_info: JsonObject | None


TagObject = Annotated[dict[str, str | int | float | bool | None], Meta(max_length=MAX_LOOKED_AT)]
TagPair = Annotated[list[str | None], Meta(max_length=2)]
TagPairs = Annotated[list[TagPair], Meta(max_length=MAX_LOOKED_AT)]
Contexts = Annotated[dict[Short, JsonObject | None], Meta(max_length=MAX_CONTEXTS)]
Modules = Annotated[dict[Text, Short | None], Meta(max_length=MAX_MODULES)]
Fingerprint = Annotated[list[Text], Meta(max_length=MAX_FINGERPRINT)]


class Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The attributes of a well-formed event. None and absent are the same."""

    event_id: Short | None = None
    timestamp: Moment | None = None
    platform: Short | None = None
    level: Short | int | None = None
    type: Short | None = None
    logger: Text | None = None
    transaction: Text | None = None
    transaction_info: JsonObject | None = None
    server_name: Text | None = None
    release: Text | None = None
    dist: Text | None = None
    environment: Text | None = None
    message: Message | LogEntry | None = None
    logentry: Message | LogEntry | None = None
    exception: ExceptionValues | Exceptions | None = None
    threads: ThreadValues | Threads | None = None
    stacktrace: Stack | None = None
    breadcrumbs: BreadcrumbValues | Breadcrumbs | None = None
    request: Request | None = None
    user: JsonObject | None = None
    contexts: Contexts | None = None
    tags: TagObject | TagPairs | None = None
    extra: JsonObject | None = None
    modules: Modules | None = None
    sdk: JsonObject | None = None
    fingerprint: Fingerprint | None = None
    debug_meta: DebugMeta | None = None
    errors: list[JsonObject] | None = None
    csp: JsonObject | None = None
    hpkp: JsonObject | None = None
    expectct: JsonObject | None = None
    expectstaple: JsonObject | None = None
    nel: JsonObject | None = None
    ignored_meta: msgspec.Raw = msgspec.field(name="_meta", default_factory=msgspec.Raw)


ATTRIBUTES = tuple(
    field.name for field in msgspec.structs.fields(Wire) if field.name == field.encode_name
)


def attribute(name: str, value: object) -> Any:
    """`value` as a checked copy for the attribute `name`; raises msgspec.ValidationError.

    It goes through the whole struct because msgspec only remembers how to convert to classes;
    building a converter for the bare type would take a millisecond each time.
    """
    return getattr(msgspec.convert({name: value}, Wire), name)
