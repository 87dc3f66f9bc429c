"""The documentation says what the code does: tables made from it, links that lead somewhere."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest

import docs_tables
from tracer.cli import main
from tracer.cli.group import Commands
from tracer.ingest.outcomes import CLIENT_DISCARD, FATES, REFUSED
from tracer.search.keys import READ, STATUSES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCE = ROOT / "src" / "tracer"

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"```.*?```", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text()), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize(("file", "marker"), docs_tables.PARTS)
def test_part_made_from_the_code_is_current(file: str, marker: str) -> None:
    made = docs_tables.PARTS[file, marker]()
    assert docs_tables.there(file, marker) == made + "\n", "run: python tests/docs_tables.py"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path), link


def test_readme_names_every_page_and_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in readme, page.name
    assert isinstance(main, Commands)
    for command in main.names:
        assert f"`{command}`" in readme or f"`tracer {command}`" in readme, command


def test_outcomes_are_described() -> None:
    text = (ROOT / "docs" / "sending.md").read_text()
    for outcome in (*FATES, CLIENT_DISCARD, REFUSED):
        assert f"`{outcome}`" in text, outcome


def test_search_keys_are_described() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    for key in READ:
        assert f"`{key}:" in text or f"!{key}:" in text, key
    for status in STATUSES:
        assert f"is:{status}" in text, status


def test_architecture_names_what_there_is() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = re.search(r"```\nsrc/tracer/\n(.*?)```", text, re.DOTALL)
    assert tree
    listed: list[Path] = []
    parents = [SOURCE]
    for line in tree[1].splitlines():
        found = re.match(r"((?:[│ ] {3})*)[├└]── (.+)$", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        names = list(takewhile(lambda word: word.endswith(("/", ".py")), found[2].split()))
        del parents[depth + 1 :]
        listed += [parents[depth] / entry.rstrip("/") for entry in names]
        parents.append(listed[-1])
    missing = [str(path.relative_to(SOURCE)) for path in listed if not path.exists()]
    assert missing == []
    packages = {path.parent for path in SOURCE.glob("*/__init__.py")}
    packages |= {path for path in SOURCE.glob("*.py") if not path.name.startswith("__init__")}
    packages |= {path.parent for path in (SOURCE / "features").glob("*/__init__.py")}
    assert packages <= set(listed), sorted(map(str, packages - set(listed)))
