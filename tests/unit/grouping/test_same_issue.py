"""False splits: events of one bug that must end in one issue, whatever changed around it."""

from __future__ import annotations

from typing import Any

import pytest

from unit.grouping.making import event, exception, frame, message, same, stack

KEY_ERROR = "KeyError"


def python(*frames: dict[str, Any], value: str = "'x'") -> Any:
    return event(exception(KEY_ERROR, value, list(frames)))


def js(*frames: dict[str, Any], value: str = "boom", kind: str = "TypeError") -> Any:
    return event(exception(kind, value, list(frames)), platform="javascript")


def on(platform: str, function: str, module: str = "", **more: Any) -> Any:
    made = [frame(function, module, **more)]
    return event(exception("Error", "v", made), platform=platform)


def walk(depth: int, *names: str) -> Any:
    frames = stack("app.main", *(list(names) * depth), "app.leaf")
    return event(exception("ValueError", "bad", frames))


def visit(*nodes: str) -> Any:
    return event(exception("E", "", stack("m.run", *(f"v.{node}" for node in nodes))))


def overflow(platform: str, *names: str) -> Any:
    value = "maximum recursion depth exceeded while calling a Python object"
    return event(exception("RecursionError", value, stack(*names)), platform=platform)


CASES = {
    "line numbers moved by a deploy": (
        python(frame("checkout", "shop.cart", lineno=10, context_line="  total = d['x']")),
        python(frame("checkout", "shop.cart", lineno=94, context_line="total  =  d['x'] ")),
    ),
    "value with other data": (
        python(frame("checkout", "shop.cart"), value="'sku-1'"),
        python(frame("checkout", "shop.cart"), value="'sku-2'"),
    ),
    "library frames of another version": (
        python(frame("view", "shop.views"), *stack("django.db.execute", app=False)),
        python(frame("view", "shop.views"), *stack("django.db.run", "django.x.y", app=False)),
    ),
    "system-only stack in a library folder with another version": (
        on("ruby", "call", "/gems/rack-2.2.4/lib/rack/head.rb", app=False),
        on("ruby", "call", "/gems/rack-3.0.1/lib/rack/head.rb", app=False),
    ),
    "recursion depth 10 and 50": (walk(10, "app.walk"), walk(50, "app.walk")),
    "mutual recursion depth 3 and 20": (
        walk(3, "app.visit", "app.visit_list"),
        walk(20, "app.visit", "app.visit_list"),
    ),
    "irregular recursion over other data": (
        visit("a", "b", "a", "c", "a", "b", "a", "d"),
        visit("a", "c", "a", "c", "a", "a", "b", "a", "d"),
    ),
    "stack overflow entered and ended elsewhere": (
        overflow("python", "m.main", *["m.a", "m.b"] * 30, "m.c"),
        overflow("python", "m.other", "m.b", *["m.a", "m.b"] * 20, "m.a"),
    ),
    "python comprehension that 3.12 inlines": (
        python(frame("load", "a.b"), frame("<listcomp>", "a.b"), frame("parse", "a.c")),
        python(frame("load", "a.b"), frame("parse", "a.c")),
    ),
    "wrapped by the function that caught it": (
        event(exception("ValueError", "bad", stack("m.main", "m.load", "m.parse"))),
        event(
            exception("ValueError", "bad", stack("m.load", "m.parse")),
            exception("ConfigError", "cannot load", stack("m.main", "m.load")),
        ),
    ),
    "wrapped twice": (
        event(exception("ValueError", "bad", stack("m.main", "m.load", "m.parse"))),
        event(
            exception("ValueError", "bad", stack("m.parse")),
            exception("LoadError", "bad file", stack("m.load", "m.parse")),
            exception("AppError", "no", stack("m.main", "m.load")),
        ),
    ),
    "java exception wrapped in another": (
        event(
            exception("IOException", "x", stack("a.Job.run", "a.Repo.load", "a.Db.read")),
            platform="java",
        ),
        event(
            exception("IOException", "x", stack("a.Job.run", "a.Repo.load", "a.Db.read")),
            exception("RepoException", "y", stack("a.Job.run", "a.Repo.load")),
            platform="java",
        ),
    ),
    "database error whose cause is library code only": (
        event(
            exception("UniqueViolation", "x", stack("psycopg.execute", app=False)),
            exception("IntegrityError", "x", stack("shop.save")),
        ),
        event(exception("IntegrityError", "y", stack("shop.save"))),
    ),
    "group with one kind of member": (
        event(exception("ValueError", "bad", stack("m.task"))),
        event(
            exception("ValueError", "bad", stack("m.task"), exception_id=2, parent_id=0),
            exception("ValueError", "bad", stack("m.task"), exception_id=1, parent_id=0),
            exception("ExceptionGroup", "2", None, exception_id=0, is_exception_group=True),
        ),
    ),
    "group with its members in another order": (
        event(
            exception("ValueError", "", stack("m.a"), exception_id=1, parent_id=0),
            exception("KeyError", "", stack("m.b"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "", None, exception_id=0, is_exception_group=True),
        ),
        event(
            exception("KeyError", "", stack("m.b"), exception_id=1, parent_id=0),
            exception("ValueError", "", stack("m.a"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "", None, exception_id=0, is_exception_group=True),
        ),
    ),
    "java lambda numbers": (
        on("java", "lambda$place$0", "shop.Orders"),
        on("java", "lambda$place$7", "shop.Orders"),
    ),
    "java lambda classes": (
        on("java", "apply", "shop.Orders$$Lambda$14/0x0000000800c1a040"),
        on("java", "apply", "shop.Orders$$Lambda/0x00007f8a1c0a1234"),
    ),
    "spring proxy class": (
        on("java", "place", "shop.Orders$$EnhancerBySpringCGLIB$$1a2b3c4d"),
        on("java", "place", "shop.Orders$$SpringCGLIB$$0"),
    ),
    "spring proxy and the class itself": (
        event(exception("E", "", [frame("place", "shop.Orders")]), platform="java"),
        event(
            exception("E", "", stack("shop.Orders$$SpringCGLIB$$0.place", "shop.Orders.place")),
            platform="java",
        ),
    ),
    "java dynamic proxies and anonymous classes": (
        on("java", "run", "com.sun.proxy.$Proxy12.Foo$3"),
        on("java", "run", "com.sun.proxy.$Proxy98.Foo$1"),
    ),
    "csharp async state machine": (
        on("csharp", "MoveNext", "Shop.Cart+<CheckoutAsync>d__12"),
        on("csharp", "MoveNext", "Shop.Cart+<CheckoutAsync>d__15"),
    ),
    "csharp lambda": (
        on("csharp", "<Checkout>b__0_1", "Shop.Cart+<>c__DisplayClass3_0"),
        on("csharp", "<Checkout>b__4_2", "Shop.Cart+<>c__DisplayClass5_1"),
    ),
    "go closures": (
        on("go", "(*Server).handle.func1", "main"),
        on("go", "(*Server).handle.func2.1", "main"),
    ),
    "go generics": (on("go", "Map[...]", "x/list"), on("go", "Map[go.shape.int]", "x/list")),
    "rust symbol hash": (
        on("rust", "shop::cart::checkout::h0123456789abcdef"),
        on("rust", "shop::cart::checkout::hfedcba9876543210"),
    ),
    "compiler clones": (on("native", "parse.part.0"), on("native", "parse.constprop.3")),
    "cpp template arguments": (
        on("native", "Pool<std::vector<int>>::get(int)"),
        on("native", "Pool<std::vector<long>>::get(long)"),
    ),
    "ruby labels before and in 3.4": (
        on("ruby", "block (2 levels) in total", "app/models/order.rb"),
        on("ruby", "block in Order#total", "app/models/order.rb"),
    ),
    "ruby compiled template": (
        on("ruby", "_app_views_orders_show_html_erb___4611686018427_70120", "app/views/show.rb"),
        on("ruby", "_app_views_orders_show_html_erb___1234567890123_99999", "app/views/show.rb"),
    ),
    "php 8.4 closures with their line": (
        on("php", "{closure:App\\Cart::total():12}", "/srv/app/Cart.php"),
        on("php", "{closure:App\\Cart::total():99}", "/srv/app/Cart.php"),
    ),
    "php class without a name": (
        on("php", "class@anonymous\x00/srv/app/Cart.php:12$0::run", "/srv/app/Cart.php"),
        on("php", "class@anonymous\x00/srv/app/Cart.php:44$3::run", "/srv/app/Cart.php"),
    ),
    "deploy folder": (
        on("php", "total", "/srv/releases/20260101120000/app/Cart.php"),
        on("php", "total", "/srv/releases/20260315093000/app/Cart.php"),
    ),
    "deploy folder right above the file": (
        on("php", "total", "/srv/releases/20260101120000/index.php"),
        on("php", "total", "/srv/releases/20260315093000/index.php"),
    ),
    "unnamed function in the bundles of two builds": (
        js(frame("?", "/js/main.3f2a1b9c.js", lineno=1, colno=50)),
        js(frame("?", "/js/main.99e0d1aa.js", lineno=2, colno=97)),
    ),
    "home folders": (
        on("node", "total", "/home/ann/shop/cart.js"),
        on("node", "total", "C:\\Users\\bob\\shop\\cart.js"),
    ),
    "webpack chunk hash": (
        js(frame("checkout", "/static/js/main.3f2a1b9c.js", lineno=1, colno=4012)),
        js(frame("checkout", "/static/js/main.99e0d1aa.js", lineno=1, colno=9731)),
    ),
    "vite chunk hash": (
        js(frame("checkout", "/assets/index-BxK29a_d.js")),
        js(frame("checkout", "/assets/index-D9-xPq3A.js")),
    ),
    "next chunk hash": (
        js(frame("checkout", "/_next/static/chunks/app/page-0123456789abcdef.js")),
        js(frame("checkout", "/_next/static/chunks/app/page-fedcba9876543210.js")),
    ),
    "another host of the bundle": (
        js(frame("checkout", "https://cdn1.example.com/a/main.js?v=1")),
        js(frame("checkout", "https://cdn2.example.org/a/main.js?v=2")),
    ),
    "function names of two browsers": (
        js(frame("Object.checkout", "/app/main.js"), frame("Cart.total [as sum]", "/app/main.js")),
        js(frame("checkout", "/app/main.js"), frame("total", "/app/main.js")),
    ),
    "async in one browser only": (
        js(frame("async checkout", "/app/main.js")),
        js(frame("checkout", "/app/main.js")),
    ),
    "engine frames of one browser only": (
        js(frame("render", "/a/m.js"), frame("Array.map", "<anonymous>"), frame("row", "/a/m.js")),
        js(frame("render", "/a/m.js"), frame("row", "/a/m.js")),
    ),
    "minified names of two builds": (
        js(
            frame("e", "/js/main.3f2a1b9c.js", lineno=1, colno=812),
            frame("t.n", "/js/main.3f2a1b9c.js"),
        ),
        js(
            frame("Xq", "/js/main.99e0d1aa.js", lineno=2, colno=14),
            frame("a", "/js/main.99e0d1aa.js"),
        ),
    ),
    "minified error class of two builds": (
        js(frame("e", "/js/main.3f2a1b9c.js"), kind="t"),
        js(frame("n", "/js/main.99e0d1aa.js"), kind="Ab"),
    ),
    "unnamed function on another line": (
        js(frame("?", "/srv/app/server.js", lineno=3, colno=5, context_line="  cart.total()")),
        js(
            frame(
                "<anonymous>", "/srv/app/server.js", lineno=9, colno=7, context_line="cart.total()"
            )
        ),
    ),
    "python lambda on another line": (
        python(
            frame("run", "a.b"), frame("<lambda>", "a.b", lineno=3, context_line="f = lambda: d[1]")
        ),
        python(
            frame("run", "a.b"), frame("<lambda>", "a.b", lineno=8, context_line="f = lambda: d[1]")
        ),
    ),
    "one access error in the words of Chrome and Safari": (
        js(
            frame("e", "/js/main.js"), value="Cannot read properties of undefined (reading 'total')"
        ),
        js(frame("e", "/js/main.js"), value="undefined is not an object (evaluating 't.total')"),
    ),
    "one access error in the words of old Chrome and Firefox": (
        js(frame("e", "/js/main.js"), value="Cannot read property 'total' of null"),
        js(frame("e", "/js/main.js"), value='can\'t access property "total", e.cart is null'),
    ),
    "one call error in the words of Chrome and Safari": (
        js(frame("e", "/js/main.js"), value="t.total is not a function"),
        js(
            frame("e", "/js/main.js"),
            value="n.total is not a function. (In 'n.total(3)', 'n.total' is undefined)",
        ),
    ),
    "minified callee of two builds": (
        js(frame("e", "/js/main.js"), value="t is not a function"),
        js(frame("e", "/js/main.js"), value="Qx is not a function"),
    ),
    "missing variable in the words of Chrome and Safari": (
        js(frame("e", "/js/main.js"), value="gtag is not defined"),
        js(frame("e", "/js/main.js"), value="Can't find variable: gtag"),
    ),
    "failed request in the words of three browsers": (
        js(frame("e", "/js/main.js"), value="Failed to fetch"),
        js(frame("e", "/js/main.js"), value="NetworkError when attempting to fetch resource."),
    ),
    "named function of a bundle, message with data": (
        js(frame("onSubmit", "/js/main.3f2a1b9c.js"), value="no user Ann"),
        js(frame("onSubmit", "/js/main.99e0d1aa.js"), value="no user Bob"),
    ),
    "obfuscated android names of two builds": (
        event(exception("E", "gone", [frame("a", "o.ab"), frame("b", "o.c")]), platform="java"),
        event(exception("E", "gone", [frame("c", "p.q"), frame("a", "p.z")]), platform="java"),
    ),
    "message with other data": (
        message("order 17 of bob@example.com failed after 30.5s"),
        message("order 9 of ann@example.org failed after 2s"),
    ),
    "message template": (
        message("order %s failed", "order apple failed"),
        message("order %s failed", "order pear failed"),
    ),
    "exception without stack, other data": (
        event(exception("HttpError", "GET https://api.example.com/v1/users/17: 12 ms")),
        event(exception("HttpError", "GET https://api.example.com/v1/users/99: 800 ms")),
    ),
    "event without anything": (event(), event()),
}


@pytest.mark.parametrize("name", CASES)
def test_one_bug_is_one_issue(name: str) -> None:
    first, second = CASES[name]
    assert same(first, second)
