"""The shop's backend as its SDK describes it: Python, Django, its frames and requests."""

from __future__ import annotations

from typing import Any

from tracer.cli.demo.frames import app_frame, system_frame
from tracer.cli.demo.world import Fields, Release, Scene, Service

_SITE = "/srv/shop/lib/python3.13/site-packages/"
_MODULES = {
    "django": "5.2.4",
    "celery": "5.5.3",
    "gunicorn": "23.0.0",
    "pillow": "11.3.0",
    "psycopg": "3.2.9",
    "redis": "6.2.0",
    "requests": "2.32.4",
    "sentry-sdk": "2.75.0",
    "urllib3": "2.5.0",
}


def _fields(at: Scene) -> Fields:
    zone = at.random.choice(("a", "b"))
    return {
        "server_name": f"web-{zone}{at.random.randint(1, 3)}",
        "user": at.person.user,
        "tags": {"customer.tier": at.person.tier, "zone": f"eu-1{zone}"},
        "modules": _MODULES,
        "contexts": {
            "runtime": {"name": "CPython", "version": "3.13.5", "build": "main, Jun 2025"},
            "trace": {
                "trace_id": at.hex(32),
                "span_id": at.hex(16),
                "op": "http.server",
                "status": "internal_error",
            },
        },
        "extra": {"sys.argv": ["gunicorn", "shop.wsgi", "--workers", "4"]},
        "sdk": {
            "name": "sentry.python.django",
            "version": "2.75.0",
            "integrations": ["django", "celery", "logging", "redis", "stdlib"],
            "packages": [{"name": "pypi:sentry-sdk", "version": "2.75.0"}],
        },
    }


SERVICE = Service(
    "backend",
    "python",
    (
        Release("shop-backend@4.9.2", 30),
        Release("shop-backend@4.10.0", 11.2),
        Release("shop-backend@4.11.0", 7.4),
        Release("shop-backend@4.12.0", 3.9),
        Release("shop-backend@4.12.1", 1.3),
    ),
    _fields,
)


def frame(file: str, needle: str, function: str, **variables: Any) -> Fields:
    """A frame of the shop with its local variables."""
    module = file.removesuffix(".py").replace("/", ".")
    return app_frame(file, needle, function, root="/srv/shop/", module=module, vars=variables)


def library(file: str, function: str, lineno: int) -> Fields:
    """A frame of an installed package."""
    module = file.removesuffix(".py").replace("/", ".")
    return system_frame(file, function, lineno, module=module, abs_path=_SITE + file)


def django() -> list[Fields]:
    """The frames above every view."""
    return [
        library("django/core/handlers/exception.py", "inner", 55),
        library("django/core/handlers/base.py", "_get_response", 197),
        library("django/contrib/auth/decorators.py", "_wrapper_view", 59),
    ]


def request(at: Scene, method: str, path: str, **rest: Any) -> Fields:
    """A request as the customer's browser made it."""
    headers = {
        "Host": "shop.example.com",
        "User-Agent": at.browser.agent,
        "Accept-Language": f"{at.person.locale},en;q=0.7",
        "Authorization": f"Bearer {at.hex(40)}",
        "X-Request-Id": at.hex(24),
        "Referer": "https://shop.example.com/cart",
    }
    return {
        "url": f"https://shop.example.com{path}",
        "method": method,
        "headers": headers,
        "cookies": {"sessionid": at.hex(32), "currency": "EUR"},
        "env": {"REMOTE_ADDR": at.person.address, "SERVER_NAME": "shop.example.com"},
        **rest,
    }


def query(at: Scene, before_s: float, text: str) -> Fields:
    """The breadcrumb of an SQL query."""
    return at.crumb(before_s, "query", text, kind="query")
