"""What decides for each kind of event, and what the components say about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.grouping.making import counted, event, exception, frame, grouped, message, same, stack

VARIANTS = {
    "in-app frames": (event(exception("E", "", stack("m.a"))), "app-stacktrace"),
    "library frames": (event(exception("E", "", stack("m.a", app=False))), "system-stacktrace"),
    "no frames": (event(exception("E", "v")), "exception"),
    "minified": (
        event(exception("E", "v", [frame("e", "/js/main.min.js")]), platform="javascript"),
        "exception",
    ),
    "message": (message("hi"), "message"),
    "message with stack": (message("hi", stacktrace={"frames": stack("m.a")}), "app-stacktrace"),
    "fingerprint": (event(exception("E", "v"), fingerprint=["a"]), "custom-fingerprint"),
    "default fingerprint": (event(exception("E", "v"), fingerprint=["{{ default }}"]), "exception"),
    "nothing": (event(), "fallback"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variant(name: str) -> None:
    made, expected = VARIANTS[name]
    assert grouped(made).components["variant"] == expected


def test_hash_is_32_hexadecimal_digits_and_version_1() -> None:
    grouping = grouped(event(exception("E", "v")))
    assert len(grouping.hashes[0]) == 32
    int(grouping.hashes[0], 16)
    assert grouping.version == 1


def test_components_say_which_frames_count_and_why_others_do_not() -> None:
    frames = [
        *stack("lib.run", "lib.call", "lib.get", app=False),
        *stack("shop.view", "shop.walk", "shop.walk"),
        frame("save", "shop", context_line="  db.save(cart)"),
        *stack("db.save", app=False),
    ]
    components = grouped(event(exception("DbError", "x", frames))).components
    assert components["label"] == "in-app stack trace of DbError"
    assert [(one["name"], one["contributes"], one.get("hint")) for one in components["parts"]] == [
        ("DbError", True, None),
        ("3 frames", False, "not in-app"),
        ("shop in view", True, None),
        ("shop in walk", True, None),
        ("shop in walk", False, "recursion"),
        ("shop in save", True, None),
        ("db in save", False, "not in-app"),
        ("db.save(cart)", True, "source of the innermost frame"),
    ]


def test_components_stay_small() -> None:
    frames = stack(*(f"shop.part{n}.{'f' * 300}{n}" for n in range(240)))
    parts = grouped(event(exception("E", "v" * 5000, frames))).components
    assert len(json.dumps(parts)) < 12_000
    assert len(parts["parts"]) < 50


def test_wrapping_exception_is_shown_as_not_contributing() -> None:
    made = event(
        exception("ValueError", "", stack("m.load", "m.parse")),
        exception("AppError", "", stack("m.main", "m.load")),
    )
    parts = grouped(made).components["parts"]
    assert {
        "id": "exception",
        "name": "AppError",
        "contributes": False,
        "hint": "wraps the cause",
    } in parts
    assert counted(grouped(made)) == ["ValueError", "m in main", "m in load", "m in parse"]


# Fingerprints

FINGERPRINTS = [
    (["cart"], ["cart"], True),
    (["cart"], ["order"], False),
    (["a", "b"], ["b", "a"], False),
    (["ab", "c"], ["a", "bc"], False),
    (["{{ default }}"], ["{{default}}"], True),
    (["{{ default }}", "eu"], ["{{ default }}", "us"], False),
    (["{{ error.type }}"], ["E"], True),
    (["{{ type }}-x"], ["E-x"], True),
    (["{{ error.value }}"], ["v"], True),
    (["{{ transaction }}"], ["/pay"], True),
    (["{{ tags.Shard }}"], ["s1"], True),
    (["{{ level }}"], ["error"], True),
    (["{{ stack.function }}"], ["pay"], True),
    (["{{ stack.module }}"], ["shop"], True),
    (["{{ nothing }}"], ["<no-nothing>"], True),
]


@pytest.mark.parametrize(("first", "second", "expected"), FINGERPRINTS)
def test_fingerprint(first: list[str], second: list[str], expected: bool) -> None:
    def made(fingerprint: list[str]) -> Any:
        return event(
            exception("E", "v", stack("shop.pay")),
            fingerprint=fingerprint,
            transaction="/pay",
            level="error",
            tags={"Shard": "s1"},
        )

    assert same(made(first), made(second)) is expected


def test_default_in_a_fingerprint_keeps_bugs_apart() -> None:
    first = event(exception("A"), fingerprint=["{{ default }}", "eu"])
    second = event(exception("B"), fingerprint=["{{ default }}", "eu"])
    assert not same(first, second)


def test_fingerprint_without_default_joins_different_errors() -> None:
    assert same(event(exception("A"), fingerprint=["x"]), event(exception("B"), fingerprint=["x"]))


# Native code and threads


def crashed(address: str, start: str, **data: Any) -> Any:
    image = {
        "type": "elf",
        "image_addr": start,
        "image_size": 65536,
        "code_file": "/app/libshop.so.1.2",
    }
    thrown = exception("SIGSEGV", "", [frame(instruction_addr=address)], synthetic=True)
    return event(thrown, platform="native", debug_meta={"images": [image]}, **data)


def test_address_space_randomisation_does_not_split() -> None:
    assert same(
        crashed("0x7f0000001234", "0x7f0000000000"), crashed("0x55aa00001234", "0x55aa00000000")
    )
    assert not same(
        crashed("0x7f0000001234", "0x7f0000000000"), crashed("0x7f0000001300", "0x7f0000000000")
    )


def test_crash_types_of_two_systems_are_one() -> None:
    frames = stack("Cart::checkout")
    first = event(exception("SIGSEGV", "", frames, synthetic=True), platform="native")
    second = event(exception("EXC_BAD_ACCESS", "", frames, synthetic=True), platform="cocoa")
    assert same(first, second)


def test_crashed_threads_stack_counts_for_an_exception_without_one() -> None:
    def made(function: str) -> Any:
        threads = [
            {"id": 1, "stacktrace": {"frames": stack("m.idle")}},
            {"id": 2, "crashed": True, "stacktrace": {"frames": stack(f"m.{function}")}},
        ]
        return event(exception("Fatal", "x"), threads={"values": threads}, platform="cocoa")

    assert not same(made("a"), made("b"))
    assert counted(grouped(made("a"))) == ["Fatal", "m in a"]


def test_exception_takes_the_stack_of_the_thread_it_names() -> None:
    threads = [{"id": 7, "stacktrace": {"frames": stack("m.worker")}}]
    made = event({"type": "E", "value": "v", "thread_id": 7}, threads={"values": threads})
    assert counted(grouped(made)) == ["E", "m in worker"]


@pytest.mark.parametrize("flag", ["crashed", "current"])
def test_thread_decides_without_exception(flag: str) -> None:
    threads = [
        {"id": 1, "stacktrace": {"frames": stack("m.idle")}},
        {"id": 2, flag: True, "stacktrace": {"frames": stack("m.stuck")}},
    ]
    assert counted(grouped(event(threads={"values": threads}))) == ["m in stuck"]


# Security reports


def csp(**report: str) -> Any:
    return event(type="csp", platform="javascript", csp=report)


def test_csp_is_grouped_by_directive_and_host() -> None:
    page = "https://shop.example.com/a"
    first = csp(
        effective_directive="img-src", blocked_uri="https://evil.invalid/x.png", document_uri=page
    )
    again = csp(
        effective_directive="img-src", blocked_uri="https://evil.invalid/y?z=1", document_uri=page
    )
    other = csp(
        effective_directive="img-src", blocked_uri="https://other.invalid/x", document_uri=page
    )
    script = csp(
        effective_directive="script-src-elem",
        blocked_uri="https://evil.invalid/x",
        document_uri=page,
    )
    own = csp(
        effective_directive="script-src",
        blocked_uri="https://shop.example.com/x",
        document_uri=page,
    )
    assert same(first, again)
    assert not same(first, other)
    assert not same(first, script)
    assert grouped(first).title == "Blocked 'img' from 'evil.invalid'"
    assert grouped(script).title == "Blocked 'script' from 'evil.invalid'"
    assert grouped(own).title == "Blocked 'script' from 'self'"


# Anything

NAMES = st.sampled_from(
    ["", "?", "a", "main", "<lambda>", "x$1", "Foo::bar<int>(", "/a/b.js", "é\x00", "((("]
)
FRAMES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "function": NAMES | st.text(max_size=30),
            "module": NAMES | st.text(max_size=30),
            "filename": NAMES,
            "package": NAMES,
            "in_app": st.booleans() | st.none(),
            "lineno": st.integers(),
            "colno": st.integers(0, 9999),
            "context_line": NAMES,
            "instruction_addr": st.sampled_from(["0x12", "zz", "", "99999999999999999999999", 17]),
            "platform": st.sampled_from(["native", "javascript", "zz"]),
        },
    )
    | st.none(),
    max_size=12,
)
EXCEPTIONS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": NAMES,
            "value": st.text(max_size=40),
            "thread_id": st.integers(0, 3),
            "stacktrace": st.fixed_dictionaries({"frames": FRAMES}),
            "mechanism": st.fixed_dictionaries(
                {},
                optional={
                    "exception_id": st.integers(0, 4),
                    "parent_id": st.integers(0, 4),
                    "is_exception_group": st.booleans(),
                    "source": st.sampled_from(["__cause__", "__context__", "cause", "errors[0]"]),
                    "synthetic": st.booleans(),
                    "handled": st.booleans(),
                },
            ),
        },
    ),
    max_size=5,
)
PLATFORMS = st.sampled_from(
    ["python", "javascript", "java", "csharp", "native", "ruby", "go", "dart", ""]
)


@settings(max_examples=300)
@given(EXCEPTIONS, PLATFORMS, st.lists(NAMES, max_size=3), FRAMES)
def test_any_decoded_event_is_grouped(
    exceptions: list[Any], platform: str, fingerprint: list[str], frames: list[Any]
) -> None:
    thread = {"id": 1, "stacktrace": {"frames": frames}}
    made = event(
        *exceptions, platform=platform, fingerprint=fingerprint, threads={"values": [thread]}
    )
    grouping = grouped(made)
    assert len(grouping.hashes[0]) == 32
    assert grouping.title
    json.dumps(grouping.components)
    assert grouped(made) == grouping
