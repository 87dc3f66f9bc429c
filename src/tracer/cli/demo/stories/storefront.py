"""Failures of the shop's web pages: JavaScript and React, as browsers report them."""

from __future__ import annotations

from typing import Any

from tracer.cli.demo.frames import app_frame, column, system_frame
from tracer.cli.demo.pictures import screenshot
from tracer.cli.demo.world import Fields, Release, Scene, Service, Story, exception

_ORIGIN = "https://shop.example.com/"
_PAGES = ("/", "/p/floor-lamp", "/p/oak-desk", "/cart", "/checkout", "/c/outlet")


def _fields(at: Scene) -> Fields:
    return {
        "user": at.person.user if at.random.random() < 0.7 else {"ip_address": at.person.address},
        "request": _request(at, at.random.choice(_PAGES)),
        "tags": {"locale": at.person.locale},
        "contexts": {
            "react": {"version": "19.1.0"},
            "culture": {"locale": at.person.locale, "timezone": "Europe/Berlin"},
            "trace": {"trace_id": at.hex(32), "span_id": at.hex(16), "op": "pageload"},
            "flags": {
                "values": [
                    {"flag": "new-checkout", "result": at.random.random() < 0.5},
                    {"flag": "gallery-zoom", "result": True},
                    {"flag": "search-v2", "result": False},
                ]
            },
        },
        "sdk": {
            "name": "sentry.javascript.react",
            "version": "10.8.0",
            "integrations": ["Breadcrumbs", "GlobalHandlers", "LinkedErrors", "HttpContext"],
            "packages": [{"name": "npm:@sentry/react", "version": "10.8.0"}],
        },
    }


SERVICE = Service(
    "storefront",
    "javascript",
    (
        Release("shop-web@7.2.0", 30),
        Release("shop-web@7.3.0", 10.1),
        Release("shop-web@7.3.1", 8.8),
        Release("shop-web@7.4.0", 5.2),
        Release("shop-web@7.5.0-rc.2", 2.1),
    ),
    _fields,
)


def _request(at: Scene, path: str) -> Fields:
    headers = {"User-Agent": at.browser.agent, "Referer": _ORIGIN}
    return {"url": f"{_ORIGIN[:-1]}{path}", "headers": headers}


def _frame(file: str, needle: str, function: str, at: str) -> Fields:
    return app_frame(file, needle, function, root=_ORIGIN, colno=column(file, needle, at))


def _library(package: str, function: str, lineno: int, colno: int) -> Fields:
    path = f"node_modules/{package}"
    return system_frame(path, function, lineno, colno=colno, abs_path=_ORIGIN + path)


def _react() -> list[Fields]:
    dom = "react-dom/cjs/react-dom-client.development.js"
    return [
        _library("scheduler/cjs/scheduler.development.js", "performWorkUntilDeadline", 44, 48),
        _library(dom, "performWorkOnRoot", 14_103, 11),
        _library(dom, "beginWork", 10_807, 18),
        _library(dom, "renderWithHooks", 5_529, 20),
    ]


def _thrown(
    type_: str, value: str, frames: list[Fields], *, handled: bool = False, **more: Any
) -> Fields:
    kind = "generic" if handled else "auto.browser.global_handlers.onerror"
    return exception(type_, value, frames, {"type": kind, "handled": handled, **more})


def _visit(at: Scene, *path: str) -> list[Fields]:
    """What a visitor did on the way to the error."""
    before = 4.0 * len(path) + 3
    crumbs = []
    for origin, target in zip(("/", *path), path, strict=False):
        crumbs.append(
            at.crumb(before, "navigation", kind="navigation", data={"from": origin, "to": target})
        )
        crumbs.append(
            at.crumb(before - 1.1, "ui.click", "main > ul.products > li:nth-child(3) > a.card")
        )
        crumbs.append(
            at.crumb(
                before - 1.8, "fetch", kind="http",
                data={"method": "GET", "url": f"/api{target}", "status_code": 200},
            )
        )  # fmt: skip
        before -= 4
    return crumbs


def _no_images(at: Scene) -> Fields:
    gallery = _frame(
        "src/components/ProductGallery.jsx", "product.images.map(", "ProductGallery", "map"
    )
    return {
        "transaction": "/p/:slug",
        "exception": {
            "values": [
                _thrown(
                    "TypeError",
                    "Cannot read properties of undefined (reading 'map')",
                    [*_react(), gallery],
                )
            ]
        },
        "request": _request(at, at.random.choice(("/p/floor-lamp", "/p/oak-desk", "/p/wool-rug"))),
        "breadcrumbs": [
            *_visit(at, "/c/lights", "/p/floor-lamp"),
            at.crumb(0.3, "console", "product 311 has no images", level="warning", kind="debug"),
        ],
    }


def _chunk(at: Scene) -> Fields:
    chunk = at.random.choice(("Checkout", "Returns", "Product"))
    url = (
        f"https://cdn.example.com/shop/static/js/chunks/{chunk}-{at.hex(20)}.js"
        f"?v={at.hex(12)}&region=eu-central-1&signature={at.hex(64)}&expires=1767225600"
    )
    return {
        "transaction": "/:page",
        "exception": {
            "values": [
                _thrown(
                    "ChunkLoadError",
                    f"Failed to fetch dynamically imported module: {url}",
                    [
                        _library("vite/dist/client/preload.js", "preload", 66, 13),
                        _frame("src/router.jsx", 'import("./pages/Checkout")', "load", "import"),
                    ],
                )
            ]
        },
        "breadcrumbs": [
            *_visit(at, "/cart"),
            at.crumb(
                0.1, "fetch", kind="http", level="error",
                data={"method": "GET", "url": url, "status_code": 404},
            ),
        ],
    }  # fmt: skip


def _api_down(at: Scene) -> Fields:
    status = at.random.choice((502, 503, 503, 504))
    post = _frame("src/api/client.js", "answered ${response.status}", "post", "new")
    pay = _frame("src/pages/Checkout.jsx", 'post("/api/checkout"', "pay", "await")
    kind = "auto.browser.global_handlers.onunhandledrejection"
    return {
        "transaction": "/checkout",
        "exception": {
            "values": [
                exception(
                    "ApiError", f"/api/checkout answered {status}",
                    [pay, post], {"type": kind, "handled": False},
                )
            ]
        },
        "request": _request(at, "/checkout"),
        "tags": {"http.status": str(status)},
        "breadcrumbs": [
            *_visit(at, "/cart", "/checkout"),
            at.crumb(1.4, "ui.click", "form.checkout > button.pay"),
            at.crumb(
                0.2, "fetch", kind="http", level="error",
                data={"method": "POST", "url": "/api/checkout", "status_code": status},
            ),
        ],
    }  # fmt: skip


def _offline(at: Scene) -> Fields:
    fetch = _frame("src/api/client.js", "response = await fetch(", "post", "fetch")
    raising = _frame("src/api/client.js", "could not be reached", "post", "new")
    kind = "auto.browser.global_handlers.onunhandledrejection"
    cause = exception(
        "TypeError", "Load failed", [fetch],
        {
            "type": "auto.core.linked_errors", "handled": True, "source": "cause",
            "exception_id": 1, "parent_id": 0,
        },
    )  # fmt: skip
    thrown = exception(
        "ApiError", "/api/quote could not be reached",
        [_frame("src/pages/Checkout.jsx", 'post("/api/quote"', "pay", "await"), raising],
        {"type": kind, "handled": False, "exception_id": 0},
    )  # fmt: skip
    return {
        "transaction": "/checkout",
        "exception": {"values": [cause, thrown]},
        "request": _request(at, "/checkout"),
        "breadcrumbs": [*_visit(at, "/cart", "/checkout"), at.crumb(0.4, "device", "offline")],
    }


def _no_gtag(at: Scene) -> Fields:
    pay = _frame("src/pages/Checkout.jsx", 'gtag("event"', "pay", "gtag")
    return {
        "transaction": "/checkout",
        "exception": {"values": [_thrown("ReferenceError", "Can't find variable: gtag", [pay])]},
        "breadcrumbs": _visit(at, "/checkout"),
    }


def _bad_date(at: Scene) -> Fields:
    arrival = _frame("src/pages/Checkout.jsx", "date.toISOString()", "arrival", "toISOString")
    return {
        "transaction": "/checkout",
        "exception": {
            "values": [_thrown("RangeError", "Invalid time value", [*_react(), arrival])]
        },
        "extra": {"today": "令和7年11月3日", "days": at.random.randint(1, 5)},
        "tags": {"locale": "ja-JP"},
    }


def _full_storage(at: Scene) -> Fields:
    save = _frame("src/hooks/useCart.js", "localStorage.setItem", "useCart", "setItem")
    value = "The quota has been exceeded."
    return {
        "level": "warning",
        "transaction": "/cart",
        "exception": {
            "values": [_thrown("QuotaExceededError", value, [*_react(), save], handled=True)]
        },
        "extra": {"cart": {"lines": at.random.randint(40, 200), "bytes": 5_242_880}},
    }


def _wrong_total(at: Scene) -> Fields:
    shown = at.random.randint(2_000, 9_000) / 100
    pay = _frame("src/pages/Checkout.jsx", "Cart total mismatch", "pay", "Error")
    return {
        "level": "fatal",
        "transaction": "/checkout",
        "exception": {
            "values": [
                _thrown(
                    "Error",
                    f"Cart total mismatch: shown {shown:.2f}, quoted {shown + 4.9:.2f}",
                    [pay],
                )
            ]
        },
        "request": _request(at, "/checkout"),
        "breadcrumbs": _visit(at, "/p/oak-desk", "/cart", "/checkout"),
    }


def _evidence(at: Scene, _event: Fields) -> list[tuple[Fields, bytes]]:
    """A picture of the page, and on some of the events its log."""
    picture = {"filename": "checkout.png", "content_type": "image/png"}
    if at.random.random() < 0.4:
        return [(picture, screenshot(at.random))]
    log = "".join(
        f"{number:>4} cart: line {number} is {at.random.randint(300, 9_900) / 100:.2f} EUR\n"
        for number in range(1, 40)
    )
    text = {"filename": "cart.log", "content_type": "text/plain"}
    return [(picture, screenshot(at.random)), (text, log.encode())]


STORIES = (
    Story(
        "gallery without images", SERVICE, 26, _no_images, since_days=8.8, staging=0.04,
        said=("The page of the lamp is just white on my phone.",),
    ),
    Story(
        "chunk of an old deploy", SERVICE, 10, _chunk,
        said=("Had to reload the shop four times before I could pay.",),
    ),
    Story("checkout answers 503", SERVICE, 8, _api_down),
    Story("offline at the checkout", SERVICE, 5, _offline, browsers=("Mobile Safari", "Safari")),
    Story("blocked analytics", SERVICE, 7, _no_gtag, browsers=("Safari", "Firefox")),
    Story("date of another locale", SERVICE, 2.2, _bad_date, since_days=5.2),
    Story("storage is full", SERVICE, 1.2, _full_storage, browsers=("Mobile Safari",)),
    Story(
        "wrong total", SERVICE, 0.9, _wrong_total, since_days=2.1, files=_evidence, staging=0.3,
        said=(
            "It said 31.80 in the cart and 36.70 on the last page. Which one is right?",
            "Why do I pay shipping above 49 euros?",
        ),
    ),
)  # fmt: skip
