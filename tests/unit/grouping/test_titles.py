"""What an issue is called."""

from __future__ import annotations

import pytest

from unit.grouping.making import event, exception, frame, grouped, message, stack

TITLES = {
    "type and first line of the value": (
        event(exception("KeyError", "\n'sku-1'\nmore")),
        "KeyError: 'sku-1'",
    ),
    "type alone": (event(exception("KeyError")), "KeyError"),
    "value alone": (event(exception("", "it broke")), "it broke"),
    "the thrown exception of a chain": (
        event(exception("ValueError", "a", stack("m.a")), exception("AppError", "b", stack("m.b"))),
        "AppError: b",
    ),
    "the only member of a group": (
        event(
            exception("ValueError", "a", stack("m.a"), exception_id=1, parent_id=0),
            exception("ExceptionGroup", "1 error", None, exception_id=0, is_exception_group=True),
        ),
        "ValueError: a",
    ),
    "a group whose members differ in their data": (
        event(
            exception("ValueError", "no 1", stack("m.a"), exception_id=1, parent_id=0),
            exception("ValueError", "no 2", stack("m.a"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "2 errors", None, exception_id=0, is_exception_group=True),
        ),
        "ValueError: no 1",
    ),
    "a group of different members": (
        event(
            exception("ValueError", "a", stack("m.a"), exception_id=1, parent_id=0),
            exception("KeyError", "a", stack("m.a"), exception_id=2, parent_id=0),
            exception("ExceptionGroup", "2 errors", None, exception_id=0, is_exception_group=True),
        ),
        "ExceptionGroup: 2 errors",
    ),
    "an exception that wraps a group": (
        event(
            exception("ValueError", "a", stack("m.a"), exception_id=2, parent_id=1),
            exception("ExceptionGroup", "1 error", None, exception_id=1, is_exception_group=True),
            exception("AppError", "b", stack("m.b"), exception_id=0),
        ),
        "AppError: b",
    ),
    "neither type nor value": (event(exception("", "", stack("m.checkout"))), "checkout"),
    "formatted message": (message("order %s failed", "order 17 failed\nhm"), "order 17 failed"),
    "nothing": (event(), "<unlabeled event>"),
}


@pytest.mark.parametrize("name", TITLES)
def test_title(name: str) -> None:
    made, expected = TITLES[name]
    assert grouped(made).title == expected


def test_long_title_is_cut() -> None:
    title = grouped(event(exception("E", "x" * 900))).title
    assert len(title) == 256
    assert title.endswith("x…")


CULPRITS = {
    "innermost in-app frame": (
        event(
            exception("E", "", [*stack("m.a", "m.b"), *stack("lib.c", app=False)]), transaction="/x"
        ),
        "m in b",
    ),
    "path of a script": (
        event(
            exception("E", "", [frame("pay", "https://shop.example.com/js/cart.js?v=1")]),
            platform="javascript",
        ),
        "/js/cart.js in pay",
    ),
    "transaction when there is no in-app frame": (
        event(exception("E", "", stack("lib.c", app=False)), transaction="/checkout"),
        "/checkout",
    ),
    "library frame when there is nothing else": (
        event(exception("E", "", stack("lib.c", app=False))),
        "lib in c",
    ),
    "frame of a message's stack": (
        message("hi", stacktrace={"frames": stack("m.warm")}),
        "m in warm",
    ),
    "none": (message("hi"), ""),
}


@pytest.mark.parametrize("name", CULPRITS)
def test_culprit(name: str) -> None:
    made, expected = CULPRITS[name]
    assert grouped(made).culprit == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (event(exception("E", "", None, handled=False)), False),
        (event(exception("E", "", None, handled=True)), True),
        (event(exception("E")), True),
        (event(exception("A", "", None, handled=False), exception("B")), False),
        (message("hi"), True),
    ],
)
def test_is_handled_unless_a_mechanism_says_otherwise(made: object, expected: bool) -> None:
    assert grouped(made).is_handled is expected  # type: ignore[arg-type]


def test_type_and_value_are_the_thrown_exceptions() -> None:
    grouping = grouped(event(exception("A", "a"), exception("B", "b")))
    assert (grouping.type, grouping.value) == ("B", "b")
