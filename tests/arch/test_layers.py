"""The layer rule and the sizes, as `pyproject.toml` and the architecture say them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tracer"
MODULES = sorted(SOURCE.rglob("*.py"))

MAX_FILE = 400
MAX_FUNCTION = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service"}


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_point_down() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= MAX_FUNCTION, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_say_what_they_own(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        pytest.fail("an empty module")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "no docstring"
    assert len(docstring.splitlines()) <= 5


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name(path) for path in MODULES if path.stem in FORBIDDEN_NAMES] == []


def test_ring_features_write_their_own_tables_only() -> None:
    for path in (SOURCE / "features").rglob("*.py"):
        feature = path.relative_to(SOURCE / "features").parts[0]
        for table in written_tables(path):
            assert table.startswith(feature.rstrip("s")), f"{name(path)} writes {table}"


def written_tables(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()
            for verb, noun, table in zip(words, words[1:], words[2:], strict=False):
                if (verb, noun) in {("INSERT", "INTO"), ("DELETE", "FROM")}:
                    yield table
                elif verb == "UPDATE" and table == "SET":
                    yield noun
