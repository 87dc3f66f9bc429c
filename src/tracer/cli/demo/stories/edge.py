"""Failures of the server that renders pages: Node.js."""

from __future__ import annotations

from tracer.cli.demo.frames import app_frame, column, system_frame
from tracer.cli.demo.world import Fields, Release, Scene, Service, Story, exception


def _fields(at: Scene) -> Fields:
    return {
        "server_name": f"edge-{at.random.choice(('fra', 'nrt', 'iad'))}",
        "request": {
            "url": "https://shop.example.com/p/floor-lamp",
            "method": "GET",
            "headers": {"host": "shop.example.com", "user-agent": at.browser.agent},
            "cookies": {"sid": at.hex(32)},
        },
        "contexts": {
            "runtime": {"name": "node", "version": "v22.17.0"},
            "app": {"app_memory": 187_432_960, "app_start_time": "2025-11-01T04:00:00Z"},
            "cloud_resource": {"cloud.provider": "edge", "cloud.region": "eu-central"},
        },
        "sdk": {
            "name": "sentry.javascript.node",
            "version": "10.8.0",
            "integrations": ["Http", "Express", "Console", "ContextLines"],
        },
        "modules": {"express": "5.1.0", "redis": "5.6.0", "react-dom": "19.1.0"},
    }


SERVICE = Service(
    "edge",
    "node",
    (Release("shop-edge@3.0.4", 30), Release("shop-edge@3.1.0", 5.2)),
    _fields,
)


def _frame(file: str, needle: str, function: str, at: str) -> Fields:
    return app_frame(file, needle, function, root="/app/", colno=column(file, needle, at))


def _no_redis(at: Scene) -> Fields:
    cause = {
        "type": "Error",
        "value": "getaddrinfo ENOTFOUND redis.internal",
        "stacktrace": {
            "frames": [system_frame("node:dns", "GetAddrInfoReqWrap.onlookupall", 120, colno=26)]
        },
        "mechanism": {"type": "auto.core.linked_errors", "handled": True, "source": "cause"},
    }
    thrown = exception(
        "SocketClosedUnexpectedlyError", "Socket closed unexpectedly",
        [
            system_frame("node:internal/process/task_queues", "processTicks", 105, colno=5),
            _frame("server/render.js", "await cache.get(`session", "render", "await"),
            _frame("server/cache.js", "await client.connect()", "Object.get", "await"),
        ],
        {"type": "auto.http.express", "handled": False},
    )  # fmt: skip
    return {
        "transaction": "GET /p/:slug",
        "exception": {"values": [cause, thrown]},
        "tags": {"region": at.random.choice(("fra", "nrt", "iad"))},
        "breadcrumbs": [at.crumb(0.5, "console", "redis: reconnecting", level="warning")],
    }


def _no_menu(at: Scene) -> Fields:
    menu = _frame("server/render.js", 'await cache.get("menu")', "loadState", "await")
    get = _frame("server/cache.js", "JSON.parse(value)", "Object.get", "JSON")
    value = "Unexpected end of JSON input"
    return {
        "transaction": "GET /:page",
        "exception": {
            "values": [
                exception(
                    "SyntaxError", value,
                    [
                        _frame("server/render.js", "await loadState(", "render", "await"),
                        menu,
                        get,
                        system_frame("<anonymous>", "JSON.parse", 1, colno=1),
                    ],
                    {"type": "auto.http.express", "handled": False},
                )
            ]
        },
        "tags": {"region": at.random.choice(("nrt", "iad"))},
    }  # fmt: skip


STORIES = (
    Story("redis is gone", SERVICE, 3, _no_redis, since_days=5.2),
    Story("half a menu", SERVICE, 1.3, _no_menu),
)
