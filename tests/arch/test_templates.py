"""Templates: parts are named as their elements, all compile, and nothing in them breaks the CSP."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

from tracer import assets
from tracer.kit.static import Static
from tracer.kit.templates import Templates

STATIC = Static(assets.STATIC)
TEMPLATES = Templates(assets.TEMPLATES, static=STATIC.url)
PAGES = sorted(assets.TEMPLATES.rglob("*.html"))
PARTS = [path for path in PAGES if path.name.startswith("_") and path.parent.name != "ui"]


def name(path: Path) -> str:
    return path.relative_to(assets.TEMPLATES).as_posix()


@pytest.mark.parametrize("path", PARTS, ids=name)
def test_part_is_named_as_its_element(path: Path) -> None:
    """`issues/_status.html` has the root element with `id="issue-status"`."""
    package = path.parent.name
    singular = package.removesuffix("s")
    part = path.stem.removeprefix("_").replace("_", "-")
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    first = re.search(r"<[a-z][^<]*?\bid=\"([^\"]+)\"", text)
    assert first, "no element with an id"
    # One of many has its own id behind that name.
    assert re.fullmatch(rf"{singular}-{part}(-\{{\{{.+\}}\}})?", first[1])


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_template_compiles(path: Path) -> None:
    TEMPLATES.environment.get_template(name(path))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_template_holds_nothing_that_the_policy_forbids(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text), "a style attribute"
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", text), "an event attribute"
    assert not re.search(r"<style\b", text), "an inline style sheet"
    for script in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in script or 'type="application/json"' in script, "an inline script"
    assert "|safe" not in text.replace(" ", ""), "unescaped markup"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_template_includes_only_what_there_is(path: Path) -> None:
    for reference in re.findall(
        r"\{%-?\s*(?:include|extends|from|import)\s+\"([^\"]+)\"", path.read_text()
    ):
        assert (assets.TEMPLATES / reference).is_file(), reference
    for reference in re.findall(r"static\(\"([^\"~]+)\"\)", path.read_text()):
        assert STATIC.url(reference)


def test_markup_is_always_escaped_and_missing_names_are_errors() -> None:
    environment = TEMPLATES.environment
    assert environment.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ missing }}").render()
    with pytest.raises(KeyError):
        environment.from_string('{{ static("css/nothing.css") }}').render()
