"""Small faults put into a module's source, one at a time: what a test should notice.

Pure: text in, texts out. What Python says in passing (annotations, docstrings, log lines, text for
people) is left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARE = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}
_ARITHMETIC |= {ast.Mod: ("%", "*"), ast.FloorDiv: ("//", "*")}
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|PRAGMA)\b")
_SQL_FAULTS = (
    ("<>", "="),
    (">=", ">"),
    ("<=", "<"),
    (" = :", " <> :"),
    (" + ", " - "),
    (" - ", " + "),
    ("AND", "OR"),
    (" DESC", " ASC"),
)


@dataclass(frozen=True)
class Mutant:
    """A module's text with one fault, and what was done where."""

    line: int
    what: str
    text: str


def mutants(source: str, functions: frozenset[str] = frozenset()) -> list[Mutant]:
    """Every mutant of a module; of these functions alone when some are named."""
    tree = ast.parse(source)
    roots: list[ast.AST] = [tree]
    if functions:
        roots = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name in functions
        ]
    text = _Text(source)
    found: dict[str, Mutant] = {}
    for root in roots:
        for _, begin, end, put in _faults(root, text):
            changed = text.replaced(begin, end, put)
            was = " ".join(text.between(begin, end).split())
            line = source.count("\n", 0, begin) + 1
            if changed != source and _compiles(changed):
                found.setdefault(changed, Mutant(line, f"{was!r} -> {put!r}"[:110], changed))
    return sorted(found.values(), key=lambda mutant: mutant.line)


class _Text:
    """Source with its nodes' places as offsets; columns of `ast` count bytes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.end_lineno, node.end_col_offset)

    def between(self, begin: int, end: int) -> str:
        return self._source[begin:end]

    def replaced(self, begin: int, end: int, put: str) -> str:
        return self._source[:begin] + put + self._source[end:]

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


_Fault = tuple[ast.AST, int, int, str]


def _faults(root: ast.AST, text: _Text) -> Iterator[_Fault]:
    for node in _walk(root):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            put = _COMPARE[type(node.ops[0])]
            yield node, text.end(node.left), text.begin(node.comparators[0]), f" {put} "
        elif isinstance(node, ast.BinOp):
            yield from _arithmetic(node, node.op, node.left, node.right, text)
        elif isinstance(node, ast.AugAssign):
            yield from _arithmetic(node, node.op, node.target, node.value, text)
        elif isinstance(node, ast.BoolOp):
            put = " or " if isinstance(node.op, ast.And) else " and "
            yield node, text.end(node.values[0]), text.begin(node.values[1]), put
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, text.begin(node), text.begin(node.operand), ""
        elif isinstance(node, ast.Constant | ast.JoinedStr):
            yield from _constant(node, text)
        elif isinstance(node, ast.Name) and node.id in ("min", "max", "any", "all"):
            put = {"min": "max", "max": "min", "any": "all", "all": "any"}[node.id]
            yield node, text.begin(node), text.end(node), put
        else:
            yield from _statement(node, text)


def _statement(node: ast.AST, text: _Text) -> Iterator[_Fault]:
    """A condition turned round, a step left out, a value not returned."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        condition = text.between(text.begin(node.test), text.end(node.test))
        yield node, text.begin(node.test), text.end(node.test), f"not ({condition})"
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            condition = text.between(text.begin(test), text.end(test))
            yield node, text.begin(test), text.end(test), f"not ({condition})"
    elif isinstance(node, ast.Return) and node.value is not None:
        yield node, text.begin(node.value), text.end(node.value), "None"
    elif _is_step(node):
        assert isinstance(node, ast.stmt)
        yield node, text.begin(node), text.end(node), "pass"


def _is_step(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign):
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        return isinstance(target, ast.Attribute | ast.Subscript)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return True
    return isinstance(node, ast.Raise | ast.Continue)


def _arithmetic(
    node: ast.AST, op: ast.operator, left: ast.expr, right: ast.expr, text: _Text
) -> Iterator[_Fault]:
    was, put = _ARITHMETIC.get(type(op), ("", ""))
    begin = text.between(text.end(left), text.begin(right)).find(was) + text.end(left)
    if was:
        yield node, begin, begin + len(was), put


def _constant(node: ast.Constant | ast.JoinedStr, text: _Text) -> Iterator[_Fault]:
    begin, end = text.begin(node), text.end(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, begin, end, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield node, begin, end, f"{node.value + 1}"
    elif _SQL.search(sql := text.between(begin, end)):
        for was, put in _SQL_FAULTS:
            for hit in re.finditer(re.escape(was), sql):
                yield node, begin + hit.start(), begin + hit.end(), put


def _walk(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something."""
    if isinstance(root, ast.Expr) and isinstance(root.value, ast.Constant):
        return
    if isinstance(root, ast.Expr) and isinstance(root.value, ast.Call):
        called = root.value.func
        if isinstance(called, ast.Attribute) and ast.unparse(called.value) in ("log", "logging"):
            return
    if isinstance(root, ast.If) and ast.unparse(root.test) == "TYPE_CHECKING":
        return
    yield root
    for name, value in ast.iter_fields(root):
        if name in ("annotation", "returns", "decorator_list", "format_spec"):
            continue
        for child in value if isinstance(value, list) else [value]:
            # The parts of an f-string have no places of their own before Python 3.12.
            if isinstance(child, ast.AST) and not isinstance(root, ast.JoinedStr):
                yield from _walk(child)


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True
