from __future__ import annotations

import pytest

from tracer.issues.model import is_later_release, parse_version


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("shop@1.10.0", "shop@1.9.9"),
        ("2.0.0", "1.99.99"),
        ("shop@1.0.0", "shop@1.0.0-rc.1"),
        ("shop@1.0.0-rc.10", "shop@1.0.0-rc.9"),
        ("shop@1.0.0-rc.1", "shop@1.0.0-7"),
        ("shop@1.0.0-rc.1.1", "shop@1.0.0-rc.1"),
        ("v1.2.1", "1.2.0"),
        ("shop@1.1", "shop@1.0.9"),
    ],
)
def test_versions_are_compared_by_precedence(later: str, earlier: str) -> None:
    assert is_later_release(later, earlier, seen_at=1, than_seen_at=2)
    assert not is_later_release(earlier, later, seen_at=2, than_seen_at=1)


def test_build_does_not_make_a_version_later() -> None:
    assert not is_later_release("shop@1.0.0+2", "shop@1.0.0+1", seen_at=2, than_seen_at=1)


@pytest.mark.parametrize("release", ["3f2a91c", "20261123", "main", "shop@latest", "a b@1.0.0", ""])
def test_what_is_no_version_is_not_parsed(release: str) -> None:
    assert parse_version(release) is None


def test_other_releases_are_compared_by_when_they_were_first_seen() -> None:
    assert is_later_release("3f2a91c", "0bb1d2e", seen_at=20, than_seen_at=10)
    assert not is_later_release("3f2a91c", "0bb1d2e", seen_at=10, than_seen_at=20)
    assert is_later_release("3f2a91c", "0bb1d2e", seen_at=None, than_seen_at=20)
    assert is_later_release("app@2.0.0", "web@3.0.0", seen_at=20, than_seen_at=10)


def test_a_release_that_was_never_seen_is_not_yet_past() -> None:
    assert not is_later_release("3f2a91c", "0bb1d2e", seen_at=20, than_seen_at=None)
