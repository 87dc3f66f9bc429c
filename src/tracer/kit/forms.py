"""Typed reads of query strings and forms. What cannot be read is `Invalid` and names its field."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

from tracer.errors import Invalid

MAX_FIELDS = 1000
MAX_INT = 2**53

Integer = int  # `int` is a method below


class FieldInvalid(Invalid):
    """One or more fields are wrong: `fields` maps a field's name to what to tell the user."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


class Query:
    """The parameters of a query string or form, in order, with repeats."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    @classmethod
    def parse_query(cls, raw: bytes) -> Query:
        """A raw query string; Invalid past 1,000 fields. Broken UTF-8 is replaced."""
        return cls(_pairs(raw))

    def get(self, name: str, default: str = "") -> str:
        """The first value, or `default`."""
        for key, value in self.pairs:
            if key == name:
                return value
        return default

    def all(self, name: str) -> list[str]:
        """Every value under a name."""
        return [value for key, value in self.pairs if key == name]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def text(
        self, name: str, *, max: Integer = 1000, required: bool = False, default: str = ""
    ) -> str:
        """A trimmed text of at most `max` characters, without NUL."""
        value = self.get(name, default).strip().replace("\x00", "")
        if required and not value:
            raise FieldInvalid({name: "This field is required."})
        if len(value) > max:
            raise FieldInvalid({name: f"Use at most {max} characters."})
        return value

    def int(
        self,
        name: str,
        default: Integer | None = None,
        *,
        min: Integer = 0,
        max: Integer = MAX_INT,
    ) -> Integer:
        """A whole number from `min` to `max`; `default` when absent or empty."""
        value = self.get(name).strip()
        if not value and default is not None:
            return default
        if not value:
            raise FieldInvalid({name: "This field is required."})
        if not _is_int(value):
            raise FieldInvalid({name: "Enter a whole number."})
        number = int(value)
        if not min <= number <= max:
            raise FieldInvalid({name: f"Enter a number from {min} to {max}."})
        return number

    def ids(self, name: str = "id", *, limit: Integer = 1000) -> tuple[Integer, ...]:
        """Every value under a name as an id, without repeats; `1,2,3` counts as three."""
        found: dict[Integer, None] = {}
        for value in self.all(name):
            for part in value.split(","):
                if not _is_int(part.strip()) or not 0 < int(part) <= MAX_INT:
                    raise FieldInvalid({name: f"{part[:40]!r} is not an id."})
                found[int(part)] = None
        if len(found) > limit:
            raise FieldInvalid({name: f"Choose at most {limit}."})
        return tuple(found)

    def flag(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return self.get(name).lower() in {"1", "on", "true", "yes"}

    def choice(self, name: str, among: Collection[str], default: str | None = None) -> str:
        """One of several values; `default` when absent or empty."""
        value = self.get(name).strip()
        if not value and default is not None:
            return default
        if value not in among:
            raise FieldInvalid({name: f"Choose one of: {', '.join(sorted(among))}."})
        return value


class Form(Query):
    """The fields of a form body."""

    @classmethod
    def parse(cls, content_type: str, body: bytes) -> Form:
        """An urlencoded body, or an empty one; Invalid for any other content type."""
        if not body:
            return cls([])
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise Invalid("Send the form as application/x-www-form-urlencoded.")
        return cls(_pairs(body))


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Invalid(f"More than {MAX_FIELDS} fields.") from None


def _is_int(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 20
