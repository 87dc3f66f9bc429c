"""The crash-report dialog: the script behind an SDK's `showReportDialog`, and what its form sends.

A report becomes an envelope in the spool, as if an SDK had sent it; the database is not touched.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tracer.errors import Invalid
from tracer.features.feedback.model import MAX_EMAIL, MAX_MESSAGE, MAX_NAME
from tracer.ingest.answers import answer
from tracer.ingest.endpoint import Call, authorize, handle, spool
from tracer.issues.queries import clean_event_id
from tracer.kit.permissions import Permission
from tracer.kit.routes import Receive, Routes, Scope, Send
from tracer.projects.keys import ProjectKey
from tracer.protocol.dsn import Auth, parse_dsn
from tracer.protocol.lenient import load_json

routes = Routes()

_SCRIPT = Path(__file__).with_name("dialog.js")
_MAX_FIELDS = 20
_MAX_TEXT = 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
#: What the page may say in its own words, by the names that SDKs put into the address.
_TEXTS = {
    "title": "It looks like we are having issues.",
    "subtitle": "Our team has been told.",
    "subtitle2": "If you would like to help, tell us what happened below.",
    "labelName": "Name",
    "labelEmail": "E-mail",
    "labelComments": "What happened?",
    "labelClose": "Close",
    "labelSubmit": "Send report",
    "successMessage": "Your report has been sent. Thank you!",
    "errorGeneric": "The report could not be sent. Please try again.",
    "errorFormEntry": "Some fields need another look. Please correct them and try again.",
    "name": "",
    "email": "",
}
_CHARACTERS_TO_ESCAPE = re.compile("[<>&\u2028\u2029]")
_JSON = b"application/json"


@routes.raw("/api/embed/error-page/", ("GET", "POST", "OPTIONS"), can=Permission.PROJECT_KEY)
async def error_page(scope: Scope, receive: Receive, send: Send) -> None:
    """GET: the script that shows the form. POST: what was written into it."""
    await handle(scope, receive, send, _show if scope["method"] == "GET" else _take)


async def _show(call: Call, _receive: Receive, send: Send) -> None:
    query = _query(call)
    _authorize(call, query)
    _event_id(query)
    config = {name: query.get(name, text)[:_MAX_TEXT] for name, text in _TEXTS.items()}
    await answer(
        send,
        200,
        script(config),
        kind=b"text/javascript; charset=utf-8",
        extra=[(b"cache-control", b"no-store")],
    )


async def _take(call: Call, receive: Receive, send: Send) -> None:
    query = _query(call)
    key = _authorize(call, query)
    event_id = _event_id(query)
    body = await call.body.read(receive, call.headers.get(b"content-length"))
    fields = await call.intake.open(body, call.encoding, _reader(call.content_type))
    wrong = _mistakes(fields)
    if wrong:
        await answer(send, 400, msgspec.json.encode({"errors": wrong}), kind=_JSON)
        return
    call.headers.pop(b"content-encoding", None)
    await spool(call, key, _envelope(event_id, fields), {"kind": "envelope"})
    await answer(send, 200, b"{}", kind=_JSON)


def script(config: dict[str, str]) -> bytes:
    """The dialog's JavaScript with its texts, safe wherever a page may put it."""
    text = _CHARACTERS_TO_ESCAPE.sub(
        lambda match: f"\\u{ord(match[0]):04x}", msgspec.json.encode(config).decode()
    )
    return f"({_source()})({text});\n".encode()


@cache
def _source() -> str:
    return _SCRIPT.read_text(encoding="utf-8").strip()


def _query(call: Call) -> dict[str, str]:
    return _first_values(call.scope["query_string"])


def _first_values(encoded: bytes) -> dict[str, str]:
    try:
        found = parse_qs(encoded.decode("latin-1"), max_num_fields=_MAX_FIELDS * 2)
    except ValueError:
        raise Invalid("too many fields") from None
    return {name: values[0] for name, values in found.items()}


def _authorize(call: Call, query: dict[str, str]) -> ProjectKey:
    dsn = parse_dsn(query.get("dsn", ""))
    call.project_id = dsn.project_id
    return authorize(call, Auth(dsn.public_key, "", ""))


def _event_id(query: dict[str, str]) -> str:
    event_id = clean_event_id(query.get("eventId", ""))
    if event_id is None:
        raise Invalid("eventId is missing or no event id")
    return event_id


def _reader(content_type: str) -> Any:
    return load_json if content_type.startswith("application/json") else _first_values


def _mistakes(fields: Any) -> dict[str, list[str]]:
    """What is wrong with the form, by field."""
    if not isinstance(fields, dict):
        return {"comments": ["This field is required."]}
    wrong: dict[str, list[str]] = {}
    if not _text(fields, "comments", MAX_MESSAGE):
        wrong["comments"] = ["This field is required."]
    email = _text(fields, "email", MAX_EMAIL)
    if email and not _EMAIL.match(email):
        wrong["email"] = ["Enter a valid e-mail address."]
    return wrong


def _text(fields: dict[str, Any], name: str, limit: int) -> str:
    value = fields.get(name)
    return value.strip()[:limit] if isinstance(value, str) else ""


def _envelope(event_id: str, fields: dict[str, Any]) -> bytes:
    report = {
        "event_id": event_id,
        "name": _text(fields, "name", MAX_NAME),
        "email": _text(fields, "email", MAX_EMAIL),
        "comments": _text(fields, "comments", MAX_MESSAGE),
    }
    payload = msgspec.json.encode(report)
    head = msgspec.json.encode({"event_id": event_id})
    item = msgspec.json.encode({"type": "user_report", "length": len(payload)})
    return b"\n".join((head, item, payload)) + b"\n"
