from __future__ import annotations

import pytest

from tracer.accounts.model import check_email, check_password, check_slug, slug_from
from tracer.accounts.pages.login import safe_next
from tracer.errors import Invalid


@pytest.mark.parametrize("text", ["ada@example.com", " ada.l+x@sub.example.co ", "root@localhost"])
def test_address_is_accepted_without_blanks_around_it(text: str) -> None:
    assert check_email(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "x" * 250 + "@a.de"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_email(text)


@pytest.mark.parametrize("text", ["short77", "", "x" * 1025])
def test_password_has_bounds(text: str) -> None:
    with pytest.raises(Invalid):
        check_password(text)


def test_password_may_be_any_text_within_the_bounds() -> None:
    assert check_password(" ä 🦔 pass") == " ä 🦔 pass"
    assert len(check_password("x" * 1024)) == 1024


@pytest.mark.parametrize("text", ["shop", "shop-2", "a_b", "7up"])
def test_slug_is_accepted(text: str) -> None:
    assert check_slug(text) == text


@pytest.mark.parametrize("text", ["", "Shop", "-shop", "shop-", "a/b", "é", "42", "x" * 51, "a b"])
def test_slug_that_would_not_work_in_an_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_slug(text)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café API", "cafe-api"),
        ("  Shop / Backend  ", "shop-backend"),
        ("日本", "project"),
        ("2024", "project-2024"),
        ("x" * 80, "x" * 50),
    ],
)
def test_slug_is_made_from_a_name(name: str, slug: str) -> None:
    assert slug_from(name, "project") == slug
    assert check_slug(slug) == slug


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/issues/",
        "/issues/?q=is:unresolved&sort=freq",
        "/projects/shop/keys/",
        "/issues/?q=a%0Ab%2F%2Fc",
        "/issues/#c",
    ],
)
def test_login_goes_on_to_a_path_of_this_site(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "issues/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "/issues/\x00",
        "/%2f/evil.example",
        "/%2Fevil.example",
        "/%252fevil.example",
        "/%5cevil.example",
        "/%5C%5Cevil.example",
        "/issues/%0d%0aLocation:%20https://evil.example",
        "/issues/\r\nSet-Cookie: a=b",
        "/ /evil.example",
        "///evil.example",
        "////evil.example",
        "/\\/evil.example",
        "http:/evil.example",
        "http:///evil.example",
        " https://evil.example",
        "@evil.example",
        ".evil.example",
        "data:text/html,x",
        "//evil.example@tracer/",
        "//[evil",
        "/login/",
        "/logout?x=1",
        "/login",
        "/logout",
        "/" + "x" * 3000,
    ],
)
def test_login_goes_nowhere_else(path: str) -> None:
    assert safe_next(path) == "/"
