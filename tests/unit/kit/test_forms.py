from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Invalid, Problem
from tracer.kit.forms import FieldInvalid, Form, Query

FORM = "application/x-www-form-urlencoded"


def form(body: str) -> Form:
    return Form.parse(FORM, body.encode())


def test_values_are_decoded_in_order_with_repeats() -> None:
    read = form("name=a+b%20c&id=1&id=2&empty=")
    assert read.get("name") == "a b c"
    assert read.all("id") == ["1", "2"]
    assert read.get("empty", "x") == ""
    assert read.get("absent", "x") == "x"
    assert "empty" in read
    assert "absent" not in read


def test_ids_take_commas_and_drop_repeats() -> None:
    assert form("id=3&id=1,2&id=3").ids() == (3, 1, 2)


@pytest.mark.parametrize("body", ["id=x", "id=-1", "id=0", "id=1,,2", "id=99999999999999999999999"])
def test_what_is_no_id_is_refused_by_field(body: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        form(body).ids()
    assert "id" in refused.value.fields


def test_text_is_trimmed_and_bounded() -> None:
    assert form("name=++x%00y++").text("name") == "xy"
    with pytest.raises(FieldInvalid, match="at most 3"):
        form("name=abcd").text("name", max=3)
    with pytest.raises(FieldInvalid, match="required"):
        form("name=++").text("name", required=True)


def test_numbers_stay_in_their_range() -> None:
    assert form("n=7").int("n") == 7
    assert form("n=").int("n", 3) == 3
    assert form("n=-2").int("n", min=-5) == -2
    for body in ("n=11", "n=-1", "n=1.5", "n=1e3", "n=0x1"):
        with pytest.raises(FieldInvalid):
            form(body).int("n", max=10)


def test_choice_is_one_of_its_values() -> None:
    assert form("theme=dark").choice("theme", ("dark", "light")) == "dark"
    assert form("").choice("theme", ("dark", "light"), "light") == "light"
    with pytest.raises(FieldInvalid, match="dark, light"):
        form("theme=pink").choice("theme", ("dark", "light"))


def test_other_content_types_are_refused() -> None:
    with pytest.raises(Invalid):
        Form.parse("multipart/form-data; boundary=x", b"--x--")
    assert Form.parse("text/plain", b"").get("x") == ""


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(Invalid, match="fields"):
        form("&".join(f"a{i}=1" for i in range(1001)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        query = Query.parse_query(raw)
        query.int("a", 0)
        query.ids("b")
    except Problem:
        return
    assert all(isinstance(value, str) for _, value in query.pairs)
