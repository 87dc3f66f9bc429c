"""The Jinja environment of the application. Escapes always, and refuses names that do not exist."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

from tracer.kit.feature import Nav, SettingsLink, Slot
from tracer.kit.filters import FILTERS


class _Compiled(jinja2.BytecodeCache):
    """Compiled templates of this process, for every application in it."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


_compiled = _Compiled()


def _escaped(value: Any) -> str:
    """As `escape`, but without a Markup around each text: a third of a page's time."""
    kind = type(value)
    if kind is str:
        return html.escape(value)
    return value if kind is Markup else escape(value)


class _Generator(CodeGenerator):
    """Writes what a template shows through `_escaped`; anything unusual as jinja does."""

    def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
        context = frame.eval_ctx
        if context.autoescape and not context.volatile and finalize.src is None:
            self.write("environment.escaped(")
        else:
            super()._output_child_pre(node, frame, finalize)


class _Environment(jinja2.Environment):
    code_generator_class = _Generator
    escaped = staticmethod(_escaped)


class Templates:
    """Compiled templates with what every page is given. Safe to use from many threads."""

    def __init__(
        self,
        folder: Path,
        *,
        static: Callable[[str], str],
        nav: Sequence[Nav] = (),
        slots: Iterable[Slot] = (),
        settings: Iterable[SettingsLink] = (),
        reload: bool = False,
    ) -> None:
        self.nav = tuple(sorted(nav, key=lambda entry: (entry.order, entry.title)))
        self.settings = tuple(sorted(settings, key=lambda link: (link.order, link.title)))
        self._slots = tuple(slots)
        self.environment = _Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=reload,
            cache_size=-1,
            bytecode_cache=_compiled,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(FILTERS)
        self.environment.globals.update(static=static, slots=self.slots)

    def render(self, name: str, values: dict[str, Any]) -> str:
        """The text of a template."""
        return self.environment.get_template(name).render(values)

    def slots(self, name: str, **values: Any) -> list[str]:
        """The paths that other packages offer for a place in a page, filled with its values."""
        return [slot.path.format_map(values) for slot in self._slots if slot.name == name]
