"""False merges: different bugs that must not end in one issue."""

from __future__ import annotations

from typing import Any

import pytest

from unit.grouping.making import event, exception, frame, message, same, stack


def js(*frames: dict[str, Any], value: str = "boom", kind: str = "TypeError") -> Any:
    return event(exception(kind, value, list(frames)), platform="javascript")


def minified(value: str, kind: str = "TypeError", file: str = "/js/main.3f2a1b9c.js") -> Any:
    return js(frame("e", file, lineno=1, colno=812), value=value, kind=kind)


def line(text: str) -> Any:
    return event(exception("ValueError", "v", [frame("check", "m", context_line=text)]))


def crash(*frames: dict[str, Any], **data: Any) -> Any:
    thrown = exception("SIGSEGV", "", list(frames), synthetic=True)
    return event(thrown, platform="native", **data)


UNREADABLE = "Cannot read properties of undefined (reading '{}')"

CASES = {
    "other exception type in one function": (
        event(exception("KeyError", "x", stack("m.checkout"))),
        event(exception("ValueError", "x", stack("m.checkout"))),
    ),
    "one message, other stack": (
        event(exception("ValueError", "bad", stack("m.a", "m.b"))),
        event(exception("ValueError", "bad", stack("m.a", "m.c"))),
    ),
    "one function called by two": (
        event(exception("ValueError", "bad", stack("m.view_a", "m.save"))),
        event(exception("ValueError", "bad", stack("m.view_b", "m.save"))),
    ),
    "two raises in one function": (
        line('raise ValueError("negative quantity")'),
        line('raise ValueError("no such sku")'),
    ),
    "one function name in two modules": (
        event(exception("E", "", stack("shop.cart.save"))),
        event(exception("E", "", stack("shop.order.save"))),
    ),
    "one file name in two folders": (
        js(frame("load", "/src/cart/index.js")),
        js(frame("load", "/src/order/index.js")),
    ),
    "two callers of a wrapped error": (
        event(
            exception("URLError", "down", stack("api.request")),
            exception("ApiError", "down", stack("m.orders", "api.request")),
        ),
        event(
            exception("URLError", "down", stack("api.request")),
            exception("ApiError", "down", stack("m.users", "api.request")),
        ),
    ),
    "second failures while one cause was handled": (
        event(
            exception("KeyError", "x", stack("m.load")),
            exception("TypeError", "x", stack("m.main", "m.load", "m.compute")),
        ),
        event(
            exception("KeyError", "x", stack("m.load")),
            exception("OSError", "x", stack("m.main", "m.load", "m.read_file")),
        ),
    ),
    "a cause handled well and the failure that followed": (
        event(exception("KeyError", "x", stack("m.main", "m.load"))),
        event(
            exception("KeyError", "x", stack("m.load")),
            exception("TypeError", "x", stack("m.main", "m.load", "m.compute")),
        ),
    ),
    "a second failure in the very function that handled the first": (
        event(exception("KeyError", "x", [frame("load", "m", context_line="a = d[1]")])),
        event(
            exception("KeyError", "x", [frame("load", "m", context_line="a = d[1]")]),
            exception("IndexError", "x", [frame("load", "m", context_line="return other[2]")]),
        ),
    ),
    "groups with other members": (
        event(
            exception("ValueError", "", stack("m.a"), exception_id=1, parent_id=0),
            exception("KeyError", "", stack("m.b"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "", None, exception_id=0, is_exception_group=True),
        ),
        event(
            exception("ValueError", "", stack("m.a"), exception_id=1, parent_id=0),
            exception("OSError", "", stack("m.b"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "", None, exception_id=0, is_exception_group=True),
        ),
    ),
    "minified stacks with other values": (
        minified(UNREADABLE.format("total")),
        minified(UNREADABLE.format("details")),
    ),
    "minified stacks with other types": (
        minified("x is wrong", "TypeError"),
        minified("x is wrong", "RangeError"),
    ),
    "minified stacks of two bundles": (
        minified("x is wrong", file="/js/main.3f2a1b9c.js"),
        minified("x is wrong", file="/js/admin.3f2a1b9c.js"),
    ),
    "two unknown errors below one named function": (
        js(frame("onClick", "/js/main.3f2a1b9c.js"), frame("e", "/js/main.3f2a1b9c.js"), value="a"),
        js(frame("onClick", "/js/main.3f2a1b9c.js"), frame("t", "/js/main.3f2a1b9c.js"), value="b"),
    ),
    "two engine errors in one named function of a bundle": (
        js(frame("onSubmit", "/js/main.3f2a1b9c.js"), value=UNREADABLE.format("total")),
        js(frame("onSubmit", "/js/main.3f2a1b9c.js"), value=UNREADABLE.format("details")),
    ),
    "a module and a request that failed": (
        minified("Failed to fetch dynamically imported module: /a/b.js"),
        minified("Failed to fetch"),
    ),
    "unnamed functions on two source lines": (
        js(frame("?", "/srv/app/server.js", context_line="cart.total()")),
        js(frame("?", "/srv/app/server.js", context_line="user.name()")),
    ),
    "unnamed functions on two lines without source": (
        js(frame("?", "/srv/app/server.js", lineno=3, colno=9)),
        js(frame("?", "/srv/app/server.js", lineno=8, colno=2)),
    ),
    "words that look like a build hash": (
        js(frame("load", "/src/my-checkout.js")),
        js(frame("load", "/src/my-overview.js")),
    ),
    "captured things that are no errors": (
        event(exception("Error", "a", stack("m.handle"), synthetic=True), platform="javascript"),
        event(exception("Error", "b", stack("m.handle"), synthetic=True), platform="javascript"),
    ),
    "library stacks of two tasks": (
        event(exception("E", "", stack("lib.run", "lib.a", app=False))),
        event(exception("E", "", stack("lib.run", "lib.b", app=False))),
    ),
    "library stacks of a single frame with other values": (
        event(exception("E", "cannot import shop", stack("lib.run", app=False))),
        event(exception("E", "connection lost", stack("lib.run", app=False))),
    ),
    "two recursions": (
        event(exception("RecursionError", "", stack("m.main", *["m.a"] * 40))),
        event(exception("RecursionError", "", stack("m.main", *["m.b"] * 40))),
    ),
    "two messages logged by one function": (
        message("cache is cold", stacktrace={"frames": stack("m.warm")}),
        message("cache is full", stacktrace={"frames": stack("m.warm")}),
    ),
    "one message logged by two functions": (
        message("cache is cold", stacktrace={"frames": stack("m.warm")}),
        message("cache is cold", stacktrace={"frames": stack("m.read")}),
    ),
    "status codes": (
        event(exception("AxiosError", "Request failed with status code 404")),
        event(exception("AxiosError", "Request failed with status code 500")),
    ),
    "operating system errors": (
        event(exception("OSError", "[Errno 2] No such file: '/a/b'")),
        event(exception("OSError", "[Errno 13] Permission denied: '/a/b'")),
    ),
    "native functions": (crash(frame("Cart::checkout()")), crash(frame("Cart::total()"))),
    "native offsets without symbols": (
        crash(frame(instruction_addr="0x5010", image_addr="0x4000", package="/bin/shop")),
        crash(frame(instruction_addr="0x5090", image_addr="0x4000", package="/bin/shop")),
    ),
    "text that imitates two texts": (
        event(exception("E", "", stack("m.a", "m.b"))),
        event(exception("E", "", [frame("a\x1f1:m\x1fb", "m")])),
    ),
    "events without anything from two loggers": (event(logger="a"), event(logger="b")),
}


@pytest.mark.parametrize("name", CASES)
def test_two_bugs_are_two_issues(name: str) -> None:
    first, second = CASES[name]
    assert not same(first, second)
