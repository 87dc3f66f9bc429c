"""Frames: odd ones repaired, long ones cut, the application's own recognised."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracer.protocol.event import Event, decode_event
from tracer.protocol.stacktrace import is_in_app


def decode(event: Any) -> Event:
    return decode_event(
        json.dumps(event).encode(),
        project_id=1,
        envelope={},
        received_at=1_795_459_000.0,
        client_ip=None,
        user_agent=None,
    )


def frames_of(frames: Any, platform: str = "python") -> list[dict[str, Any]]:
    event = decode(
        {"platform": platform, "exception": [{"type": "E", "stacktrace": {"frames": frames}}]}
    )
    found: list[dict[str, Any]] = event.data["exception"]["values"][0]["stacktrace"]["frames"]
    return found


def notes(event: Event) -> list[tuple[str, str]]:
    return [(note["type"], note["name"]) for note in event.data.get("errors", [])]


def test_a_well_formed_frame_is_kept_as_it_is() -> None:
    frame = {
        "filename": "shop/views.py",
        "abs_path": "/srv/shop/views.py",
        "module": "shop.views",
        "function": "pay",
        "lineno": 12,
        "colno": 3,
        "pre_context": ["a", "b"],
        "context_line": "c",
        "post_context": ["d"],
        "vars": {"x": "1", "none": None},
        "in_app": False,
        "package": "/srv/lib.so",
        "instruction_addr": "0x1",
    }
    assert frames_of([dict(frame)]) == [frame]


def test_odd_frames_are_repaired() -> None:
    frame = {
        "filename": 7,
        "function": None,
        "lineno": "12",
        "colno": "?",
        "pre_context": "a\nb",
        "post_context": [1, None, "x"],
        "context_line": 5,
        "vars": [["x", 1]],
        "in_app": "false",
        "instruction_addr": 4096,
        "unheard_of": 1,
    }
    assert frames_of([None, frame, "at f (x.js)"]) == [
        {
            "filename": "7",
            "instruction_addr": "0x1000",
            "lineno": 12,
            "in_app": False,
            "vars": {"x": 1},
            "context_line": "5",
            "pre_context": ["a", "b"],
            "post_context": ["1", "", "x"],
        }
    ]


@pytest.mark.parametrize("stack", [[{"function": "f"}], {"frames": {"0": {"function": "f"}}}])
def test_stacks_in_other_shapes(stack: Any) -> None:
    event = decode({"exception": [{"type": "E", "stacktrace": stack}]})
    stacktrace = event.data["exception"]["values"][0]["stacktrace"]
    assert stacktrace == {"frames": [{"function": "f", "in_app": True}]}


@pytest.mark.parametrize("stack", [None, {}, [], {"frames": []}, {"frames": None}, 5, "x"])
def test_a_stack_without_frames_is_none(stack: Any) -> None:
    event = decode({"exception": [{"type": "E", "stacktrace": stack}]})
    assert event.data["exception"]["values"] == [{"type": "E"}]


def test_a_lone_stack_belongs_to_the_lone_exception() -> None:
    stack = {"frames": [{"function": "f"}]}
    event = decode({"stacktrace": stack, "exception": [{"type": "E"}]})
    assert event.data["exception"]["values"][0]["stacktrace"]["frames"][0]["in_app"] is True
    assert "stacktrace" not in event.data
    alone = decode({"stacktrace": stack, "message": "x"})
    assert alone.data["stacktrace"] == {"frames": [{"function": "f", "in_app": True}]}


def test_threads_have_stacks_too() -> None:
    threads = [{"id": 1, "crashed": "yes", "name": None, "stacktrace": [{"function": "f"}]}, {}]
    assert decode({"threads": threads}).data["threads"]["values"] == [
        {"id": 1, "crashed": True, "stacktrace": {"frames": [{"function": "f", "in_app": True}]}}
    ]


def test_the_oldest_and_newest_of_too_many_frames_are_kept() -> None:
    frames = [{"function": f"f{n}"} for n in range(3000)]
    event = decode({"exception": [{"type": "RecursionError", "stacktrace": {"frames": frames}}]})
    stack = event.data["exception"]["values"][0]["stacktrace"]
    names = [frame["function"] for frame in stack["frames"]]
    assert names == [f"f{n}" for n in (*range(125), *range(2875, 3000))]
    assert stack["frames_omitted"] == [125, 2875]
    assert notes(event) == [("too_many", "exception.values.0.stacktrace.frames")]


def test_the_lines_nearest_to_the_frame_are_kept() -> None:
    lines = [str(n) for n in range(15)]
    (frame,) = frames_of([{"function": "f", "pre_context": lines, "post_context": lines}])
    assert frame["pre_context"] == lines[5:]
    assert frame["post_context"] == lines[:10]


@pytest.mark.parametrize("column", [None, 1, 50_001, 99_990, 10**9])
def test_minified_lines_are_cut_around_the_column(column: int | None) -> None:
    line = "".join(f"<{n:08d}>" for n in range(10_000))
    frame = {"function": "f", "context_line": line, "pre_context": [line], "colno": column}
    event = decode({"exception": [{"type": "E", "stacktrace": {"frames": [frame]}}]})
    (found,) = event.data["exception"]["values"][0]["stacktrace"]["frames"]
    assert len(found["context_line"]) <= 256
    assert len(found["pre_context"][0]) <= 256
    at = min((column or 1) - 1, len(line) - 1)
    assert line[max(0, at - 9) : at + 1] in found["context_line"]
    assert found["context_line"].startswith("{snip}") == (at > 200)
    assert found["context_line"].endswith("{snip}") == (at < len(line) - 200)
    assert {kind for kind, _ in notes(event)} == {"value_too_long"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://shop.example/static/app.js?v=1#x", "/static/app.js"),
        ("webpack-internal:///./src/app.js", "/src/app.js"),
        ("app:///main.jsbundle", "/main.jsbundle"),
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example/"),
    ],
)
def test_urls_as_file_names(url: str, path: str) -> None:
    (frame,) = frames_of([{"function": "f", "filename": url}], "javascript")
    assert (frame["filename"], frame["abs_path"]) == (path, url)


def test_a_given_path_is_left_alone() -> None:
    (frame,) = frames_of([{"filename": "http://x/a.js", "abs_path": "http://x/a.js"}], "javascript")
    assert frame["filename"] == "http://x/a.js"


@pytest.mark.parametrize(
    ("frame", "platform"),
    [
        ({"abs_path": "/srv/venv/lib/python3.11/site-packages/flask/app.py"}, "python"),
        ({"abs_path": "/usr/local/lib/python3.11/json/decoder.py"}, "python"),
        ({"filename": "<frozen importlib._bootstrap>"}, "python"),
        ({"filename": "/app/node_modules/express/lib/router.js"}, "node"),
        ({"filename": "node:internal/process/task_queues"}, "node"),
        ({"filename": "internal/timers.js"}, "node"),
        ({"filename": "webpack-internal:///./node_modules/axios/x.js"}, "javascript"),
        ({"filename": "chrome-extension://abc/content.js"}, "javascript"),
        ({"filename": "[native code]"}, "javascript"),
        ({"abs_path": "/app/vendor/symfony/http-kernel/Kernel.php"}, "php"),
        ({"abs_path": "/usr/lib/ruby/gems/3.2.0/gems/rack-3.0/lib/rack.rb"}, "ruby"),
        ({"abs_path": "/root/go/pkg/mod/github.com/gin-gonic/gin/gin.go"}, "go"),
        ({"module": "java.util.concurrent.ThreadPoolExecutor", "filename": "T.java"}, "java"),
        ({"module": "org.springframework.web.servlet.DispatcherServlet"}, "java"),
        ({"module": "System.Linq.Enumerable", "function": "First"}, "csharp"),
        ({"package": "/usr/lib/system/libdispatch.dylib", "function": "x"}, "native"),
        ({"package": "C:\\Windows\\System32\\ntdll.dll", "function": "x"}, "native"),
        ({"instruction_addr": "0x1"}, "native"),
    ],
)
def test_frames_of_packages_runtime_and_system_are_not_in_app(
    frame: dict[str, Any], platform: str
) -> None:
    assert frames_of([frame], platform)[0]["in_app"] is False


@pytest.mark.parametrize(
    ("frame", "platform"),
    [
        ({"abs_path": "/srv/shop/views.py", "module": "shop.views"}, "python"),
        ({"module": "system.views", "filename": "system/views.py"}, "python"),
        ({"module": "System.views", "filename": "System/views.py"}, "python"),
        ({"filename": "https://shop.example/static/vendor.js"}, "javascript"),
        ({"module": "com.example.shop.CartService", "filename": "CartService.java"}, "java"),
        ({"module": "javaserver.Main"}, "java"),
        ({"abs_path": "/home/dev/libraries/x.rb"}, "ruby"),
        ({"function": "main"}, "native"),
    ],
)
def test_frames_of_the_application_are_in_app(frame: dict[str, Any], platform: str) -> None:
    assert is_in_app(frame, platform)
    assert frames_of([frame], platform)[0]["in_app"] is True


def test_what_the_sdk_says_wins() -> None:
    frame = {"abs_path": "/srv/node_modules/x.js", "in_app": True}
    assert frames_of([frame])[0]["in_app"] is True
