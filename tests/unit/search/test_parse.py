"""The language of the search box."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.errors import Invalid
from tracer.search import Query, Term, format_query, parse, tag_name


def term(key: str, *values: str, op: str = "=", negated: bool = False) -> Term:
    return Term(key, op, values, negated)


TERMS = [
    ("is:unresolved", term("is", "unresolved")),
    ("IS:Archived", term("is", "archived")),
    ("!is:resolved", term("is", "resolved", negated=True)),
    ("is:[regressed, new]", term("is", "regressed", "new")),
    ("level:WARN", term("level", "warning")),
    ("env:prod", term("environment", "prod")),
    ('release:"shop 1.2"', term("release", "shop 1.2")),
    ("release:shop@1.2.*", term("release", "shop@1.2.*")),
    ("assigned:me", term("assigned", "me")),
    ("assigned:ann@example.com", term("assigned", "ann@example.com")),
    ("timesseen:>10", term("timesSeen", "10", op=">")),
    ("timesSeen:2k", term("timesSeen", "2000")),
    ("users:<=1m", term("users", "1000000", op="<=")),
    ("firstSeen:-24h", term("firstSeen", "-24h")),
    ("last_seen:+7D", term("lastSeen", "+7d")),
    ("lastSeen:>=2026-01-31", term("lastSeen", "2026-01-31", op=">=")),
    ("lastSeen:2026-01-31T12:30:00Z", term("lastSeen", "2026-01-31T12:30:00Z")),
    ("has:user.email", term("has", "user.email")),
    ("!has:server_name", term("has", "server_name", negated=True)),
    ("browser:Chrome", term("browser", "Chrome")),
    ("Browser.Name:Chrome", term("Browser.Name", "Chrome")),
    ("user:id:42", term("user", "id:42")),
    ("!handled:yes", term("handled", "yes", negated=True)),
    ('title:"say \\"hi\\""', term("title", 'say "hi"')),
    (r"path:C:\Users\bob", term("path", r"C:\Users\bob")),
    (r"title:5\*3", term("title", r"5\*3")),
    ('empty:""', term("empty", "")),
    ('browser:[Chrome, "Mobile Safari" ,Edge]', term("browser", "Chrome", "Mobile Safari", "Edge")),
    ("tags[level]:high", term("tags[level]", "high")),
]


@pytest.mark.parametrize(("text", "expected"), TERMS)
def test_term(text: str, expected: Term) -> None:
    assert parse(text) == Query((expected,), ())


WORDS = [
    ("", ()),
    ("   ", ()),
    ("timeout", ("timeout",)),
    ('"connection refused" timeout', ("connection refused", "timeout")),
    ("TypeError: x is null", ("TypeError:", "x", "is", "null")),
    ("http://example.com/a?b=c", ("http://example.com/a?b=c",)),
    ("App::Cart", ("App::Cart",)),
    ("10:30", ("10:30",)),
    ("it's", ("it's",)),
    (r"C\d", (r"C\d",)),
    ('"a \\"b\\" \\\\"', ('a "b" \\',)),
    ('"OR"', ("OR",)),
    ("!", ("!",)),
    ("Überschrift:a", ("Überschrift:a",)),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_free_text(text: str, expected: tuple[str, ...]) -> None:
    assert parse(text) == Query((), expected)


A, B, C = (Query((), (word,)) for word in "abc")
ALTERNATIVES = [
    ("a OR b", Query((), (), ((A, B),))),
    ("(a OR b)", Query((), (), ((A, B),))),
    ("a OR b OR c", Query((), (), ((A, B, C),))),
    ("a b OR c", Query((), (), ((Query((), ("a", "b")), C),))),
    ("a AND b OR c", Query((), (), ((Query((), ("a", "b")), C),))),
    ("a (b OR c)", Query((), ("a",), ((B, C),))),
    ("(a b) c", Query((), ("a", "b", "c"))),
    ("a OR (b OR c)", Query((), (), ((A, Query((), (), ((B, C),))),))),
    ("(level:error OR c)", Query((), (), ((Query((term("level", "error"),), ()), C),))),
    ('(x:"1" OR c)', Query((), (), ((Query((term("x", "1"),), ()), C),))),
    ("(x:[1, 2] OR c)", Query((), (), ((Query((term("x", "1", "2"),), ()), C),))),
    ("(f(x) OR c)", Query((), (), ((Query((), ("f(x)",)), C),))),
    ("f(x) or", Query((), ("f(x)", "or"))),
    ("a) :(", Query((), ("a)", ":("))),
    ('"(" "OR"', Query((), ("(", "OR"))),
]


@pytest.mark.parametrize(("text", "expected"), ALTERNATIVES)
def test_alternatives(text: str, expected: Query) -> None:
    assert parse(text) == expected
    assert parse(format_query(expected)) == expected


def test_terms_of_alternatives_are_walked_too() -> None:
    found = parse("level:error (is:new OR (a is:resolved OR users:1))").walk()
    assert [one.key for one in found] == ["level", "is", "is", "users"]


def test_terms_and_text_mix_in_any_order() -> None:
    query = parse('timeout is:unresolved  "read me" !env:dev')
    assert [one.key for one in query.terms] == ["is", "environment"]
    assert query.text == ("timeout", "read me")


ERRORS = [
    ("is:unresolvd", "did you mean unresolved", "at character 1"),
    ("a b is:open", "one of unresolved, resolved", "at character 5"),
    ("level:err", "did you mean error", ""),
    ("enviroment:prod", "did you mean environment", "tags[enviroment]"),
    ("timesSeen:many", "no number", ">10"),
    ("users:>", "needs a value", "users:>10"),
    ("firstSeen:yesterday", "no time", "-24h"),
    ("firstSeen:2026-02-30", "no time", ""),
    ("assigned:bob", "nobody", "e-mail"),
    ("is:", "needs a value", "is:unresolved"),
    ("!browser:", "needs a value", ""),
    ("level:err*", "no wildcard", ""),
    ("release:>1.2", "cannot be compared", "quote the value"),
    ("timesSeen:>[1, 2]", "not with a list", ""),
    ('title:"never', "quote never ends", "at character 7"),
    ('"never', "quote never ends", "at character 1"),
    ("browser:[a, b", "list never ends", "[a, b]"),
    ("browser:[a,, b]", "missing in the list", ""),
    ("browser:[]", "missing in the list", ""),
    ("a OR", "between two", "at character 3"),
    ("OR a", "between two", "at character 1"),
    ("a OR OR b", "between two", "at character 3"),
    ("a AND", "between two", "at character 3"),
    ("AND a", "between two", 'quote it to search for "AND"'),
    ("a AND AND b", "between two", "at character 7"),
    ("(a OR b", "never closes", "at character 1"),
    ("a ( )", "Nothing stands", "at character 3"),
    ("(" * 9 + "a" + ")" * 9, "At most 8 parentheses", "at character 9"),
    ("(level:)", "needs a value", "at character 2"),
    ("(users:>)", "needs a value", ""),
    ("(a OR b) OR " * 25 + "c", "at most 50", ""),
    (f"b:[{','.join('1' * 51)}] OR b:[{','.join('1' * 50)}]", "at most 100 values", ""),
    ("!timeout", "Only key:value can be negated", ""),
    ("x" * 1001, "longer than 1000 characters", ""),
    ("a " * 51, "at most 50", ""),
    (f"b:[{','.join('1' * 101)}]", "at most 100 values", ""),
]


@pytest.mark.parametrize(("text", "what", "hint"), ERRORS)
def test_error_says_where_and_what_instead(text: str, what: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert what in caught.value.detail
    assert hint in caught.value.detail


@pytest.mark.parametrize(
    ("key", "expected"), [("browser", "browser"), ("level", None), ("tags[level]", "level")]
)
def test_tag_name(key: str, expected: str | None) -> None:
    assert tag_name(key) == expected


PIECES = st.sampled_from(
    [
        *(
            "is:",
            "unresolved",
            "new",
            "level:",
            "error",
            "timesSeen:",
            "users:",
            ">",
            "<=",
            "10",
            "2k",
        ),
        *(
            "firstSeen:",
            "-24h",
            "+7d",
            "2026-01-31",
            "browser:",
            "tags[a]:",
            "has:",
            "assigned:",
            "me",
        ),
        *(
            "!",
            "[",
            "]",
            ",",
            '"',
            "\\",
            "*",
            " ",
            " ",
            "  ",
            ":",
            "//",
            "é",
            "\n",
            "OR",
            " OR ",
            " AND ",
            "a",
            "b c",
            "$",
        ),
        *("title:", "message:", "App::", "enviroment:", "=", "(", ")"),
    ]
)


@settings(max_examples=1000)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=60))
def test_what_is_understood_can_be_written_again(text: str) -> None:
    try:
        query = parse(text)
    except Invalid:
        return
    assert parse(format_query(query)) == query
