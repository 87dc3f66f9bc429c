"""Reading a form field by field, so that a page can show every field's error at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.kit.forms import Form

T = TypeVar("T")


class Checked:
    """A form with the errors found so far, by field name. Truthy while there is none."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.errors: dict[str, str] = {}

    def __bool__(self) -> bool:
        return not self.errors

    def read(self, name: str, check: Callable[[str], T], otherwise: T) -> T:
        """`check` of what was typed; when it raises Invalid, its text is kept as the error."""
        try:
            return check(self._form.get(name).replace("\x00", ""))
        except Invalid as error:
            self.errors[name] = error.detail
            return otherwise

    def typed(self, name: str, default: str = "") -> str:
        """What was typed, to be shown again."""
        return self._form.get(name, default).replace("\x00", "")

    def error(self, name: str) -> str:
        """What is wrong with a field; empty when nothing is."""
        return self.errors.get(name, "")
