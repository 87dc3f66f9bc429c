from __future__ import annotations

import pytest

from tracer.errors import Invalid
from tracer.projects.model import Key, check_domains, check_name, check_platform, dsn, entries


def key(**changes: object) -> Key:
    fields = {
        "id": 1,
        "project_id": 7,
        "public_key": "a" * 32,
        "label": "Default",
        "is_active": True,
        "expires_at": None,
        "used_at": None,
        "created_at": 0,
    }
    return Key(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("base_url", "text"),
    [
        ("http://127.0.0.1:9000", f"http://{'a' * 32}@127.0.0.1:9000/7"),
        ("https://errors.example.com/", f"https://{'a' * 32}@errors.example.com/7"),
        ("https://example.com/errors/here", f"https://{'a' * 32}@example.com/errors/here/7"),
    ],
)
def test_dsn_points_at_this_server(base_url: str, text: str) -> None:
    assert str(dsn(key(), base_url)) == text


def test_key_works_until_it_expires_or_is_disabled() -> None:
    assert key().works(10**15)
    assert key(expires_at=1000).works(999)
    assert not key(expires_at=1000).works(1000)
    assert not key(is_active=False).works(0)


def test_list_is_read_from_lines_and_commas() -> None:
    assert entries(" iban\n\ntax_id, iban ,\r\n ssn ") == ("iban", "tax_id", "ssn")
    assert entries("") == ()


def test_list_is_bounded() -> None:
    with pytest.raises(Invalid):
        entries("\n".join(f"name{n}" for n in range(201)))
    with pytest.raises(Invalid):
        entries("x" * 201)


@pytest.mark.parametrize(
    "domain",
    ["*", "example.com", "*.example.com", "https://example.com", "localhost:3000", "[::1]:80"],
)
def test_domain_is_accepted(domain: str) -> None:
    assert check_domains((domain,)) == (domain,)


@pytest.mark.parametrize("domain", ["a b", "example.com/path", "ftp://x", "*.*.com", "a..b", "<x>"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(Invalid):
        check_domains((domain,))


def test_no_domain_means_all() -> None:
    assert check_domains(()) == ("*",)


def test_name_is_trimmed_and_bounded() -> None:
    assert check_name("  Shop \n backend ") == "Shop backend"
    assert check_name("Sh\x00op \u202e✅ 👩‍💻") == "Shop ✅ 👩‍💻"
    for text in ("", "   ", "\x00", "x" * 101):
        with pytest.raises(Invalid):
            check_name(text)


@pytest.mark.parametrize("text", ["../x", "py thon", "x" * 65, "-a"])
def test_platform_is_a_plain_id(text: str) -> None:
    with pytest.raises(Invalid):
        check_platform(text)
    assert check_platform("Python-Celery") == "python-celery"
    assert check_platform("") == "other"
