"""What never reaches a log."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time

import pytest

from tracer.kit import logs
from tracer.kit.redact import redact

JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
S = "s3cr3t-Value-0123456789"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {S}", S),
        (f"got 'authorization': 'Bearer {S}' from", S),
        (f"(b'authorization', b'Bearer {S}')", S),
        (f"Authorization: Basic {S}", S),
        (f"token {JWT} refused", JWT),
        (f"begun {JWT[:40]}", JWT[:40]),
        (f"https://public:{S}@errors.example.com/1", S),
        (f"postgres://me:{S}@db/x failed", S),
        (f"Cookie: theme=dark; tracer_login={S}; a=b", S),
        (f"set-cookie: __Host-tracer_login={S}; Path=/", S),
        (f"{{'tracer_login': '{S}'}}", S),
        (f"password={S}&next=/", S),
        (f"MailSettings(host='h', password='{S}')", S),
        (f'{{"smtp_password": "{S}"}}', S),
        (f"GET /x?token={S} failed", S),
        (f"GET /setup/{S} failed", S),
        (f"GET /invitations/{S} failed", S),
        (f"TRACER_MASTER_KEY={S * 2}", S),
        (f"-----BEGIN PRIVATE KEY-----\n{S}\n-----END PRIVATE KEY-----", S),
        (f"sentry_secret={S}, sentry_version=7", S),
        (f'{{"password": "{S} and cut', S),
        (f"my_very_own_api_key_of_the_month='{S}'", S),
    ],
)
def test_secret_is_taken_out(text: str, secret: str) -> None:
    clean = redact(text)
    assert secret not in clean
    assert "[hidden]" in clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "GET /issues/12/ failed (0123456789ab)",
        "https://0123456789abcdef0123456789abcdef@errors.example.com/1",
        "http://localhost:9000/issues/",
        "3 tokens were deleted; password changed",
        "stopping",
        "mail through smtp.example.com port 587: refused",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "part",
    [
        *("a", "a.-", "eyJ", "eyJaaaaaaaa.", "a://", "a://b:", "http://a:b", "://", "password"),
        *("token=", "token='", 'token="\\', "authorization", "cookie=", "cookie ", "bearer "),
        *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "/setup/", "/setup/aaaaaaaaaaaa", " ", "'"),
    ],
)
def test_no_text_takes_long(part: str) -> None:
    text = f"password {part * (100_000 // len(part))}"
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("style", ["console", "json"])
def test_log_holds_no_secret_of_message_or_traceback(
    style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info", style)
    try:
        try:
            raise ValueError(f"cannot connect to https://me:{S}@host/ with token={JWT}")
        except ValueError:
            logging.getLogger("tracer.test").exception("request with Bearer %s failed", S)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = stream.getvalue()
    assert "ValueError" in text
    assert S not in text
    assert JWT not in text
    if style == "json":
        assert json.loads(text)["logger"] == "tracer.test"


def test_thread_that_dies_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info", "console")

    def dies() -> None:
        raise RuntimeError(f"password={S}")

    try:
        thread = threading.Thread(target=dies, name="the-one")
        thread.start()
        thread.join()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = stream.getvalue()
    assert "RuntimeError" in text
    assert "the-one" in text
    assert S not in text
