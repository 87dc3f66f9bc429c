from __future__ import annotations

from html import unescape
from re import findall, sub

import msgspec
import pytest

from tracer.projects.platforms import PLATFORMS, Code, guide, parse_guide, platform, spans
from tracer.projects.samples import envelope, sample_event

DSN = "https://abc@errors.example.com/7"
VALUES = {"DSN": DSN, "PROJECT_ID": "7", "STORE_URL": "https://errors.example.com/api/7/store/"}


@pytest.mark.parametrize("platform_id", PLATFORMS)
def test_guide_holds_the_dsn_in_code_and_a_way_to_verify(platform_id: str) -> None:
    steps = guide(platform_id, VALUES)
    code = [part for step in steps for part in step.parts if isinstance(part, Code)]
    assert steps[-1].title == "Verify"
    assert any(DSN in part.text for part in code)
    left = {name for part in code for name in findall(r"__[A-Z_]+__", part.text)}
    assert left <= {"__DIR__"}
    assert all(step.parts for step in steps)
    assert [part for part in steps[-1].parts if isinstance(part, Code)]


@pytest.mark.parametrize("platform_id", PLATFORMS)
def test_highlighted_code_reads_as_the_code(platform_id: str) -> None:
    for step in guide(platform_id, VALUES):
        for part in step.parts:
            if isinstance(part, Code):
                assert unescape(sub(r"</?span[^>]*>", "", part.markup)) == part.text.rstrip("\n")


def test_value_cannot_bring_markup_into_a_guide() -> None:
    steps = guide("python", {**VALUES, "DSN": "<script>alert(1)</script>"})
    for step in steps:
        for part in step.parts:
            if isinstance(part, Code):
                assert "<script>" not in part.markup


@pytest.mark.parametrize(
    ("platform_id", "name"),
    [
        ("python-django", "Django"),
        ("python-celery", "Python"),
        ("javascript-react-router", "React"),
        ("node-express", "Node.js"),
        ("cocoa", "iOS"),
        ("csharp", ".NET"),
        ("brainfuck", "Other"),
        ("", "Other"),
    ],
)
def test_unknown_platform_gets_the_nearest_guide(platform_id: str, name: str) -> None:
    assert platform(platform_id).name == name


def test_guide_is_parsed_in_order() -> None:
    text = "## One\nRun `it` *now*.\n```bash\na\n\n  b\n```\n## Two\n```python x.py\npass\n```\n"
    one, two = parse_guide(text)
    assert one.parts == ["Run `it` *now*.", Code("bash", "", "a\n\n  b")]
    assert two.parts == [Code("python", "x.py", "pass")]
    assert spans("Run `it` *now*.") == [
        ("text", "Run "),
        ("code", "it"),
        ("text", " "),
        ("em", "now"),
        ("text", "."),
    ]


@pytest.mark.parametrize("platform_id", PLATFORMS)
def test_sample_event_has_a_stack_trace_of_the_platform(platform_id: str) -> None:
    event = sample_event(platform_id, event_id="a" * 32, timestamp=1_700_000_000.0)
    exception = event["exception"]["values"][0]
    assert exception["type"]
    assert exception["value"]
    assert len(exception["stacktrace"]["frames"]) >= 2
    assert all(
        frame["lineno"] and frame["context_line"] for frame in exception["stacktrace"]["frames"]
    )
    family = platform_id.partition("-")[0]
    expected = {"python": "python", "javascript": "javascript", "go": "go", "dotnet": "csharp"}
    assert event["platform"] == expected.get(family, event["platform"])
    head, item, payload = envelope(event, DSN).splitlines()
    assert msgspec.json.decode(head) == {"event_id": "a" * 32, "dsn": DSN}
    assert msgspec.json.decode(item) == {"type": "event", "length": len(payload)}
    assert msgspec.json.decode(payload) == event
