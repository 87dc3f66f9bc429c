"""Codes of authenticator apps and recovery codes, without a store."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from tracer.accounts.factors import recovery, totp

# RFC 6238, appendix B: the seed "12345678901234567890"; the last six of the eight digits.
RFC_SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOW_S = 1_700_000_010.0


def code_at(seed: str, now_s: float) -> str:
    return pyotp.TOTP(seed).at(int(now_s))


@pytest.mark.parametrize(
    ("now_s", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(now_s: int, code: str) -> None:
    assert totp.step_of(RFC_SEED, code, now_s) == now_s // 30


@pytest.mark.parametrize(
    ("away_s", "fits"),
    [(0, True), (-30, True), (30, True), (-60, False), (60, False), (3600, False)],
)
def test_clock_may_be_one_step_off(away_s: int, fits: bool) -> None:
    seed = totp.new_seed()
    step = totp.step_of(seed, code_at(seed, NOW_S + away_s), NOW_S)
    assert (step is not None) == fits
    if fits:
        assert step == int(NOW_S + away_s) // 30


def test_code_of_a_used_step_or_an_earlier_one_counts_for_nothing() -> None:
    seed = totp.new_seed()
    here = int(NOW_S) // 30
    code = code_at(seed, NOW_S)
    assert totp.step_of(seed, code, NOW_S, after=here - 1) == here
    assert totp.step_of(seed, code, NOW_S, after=here) is None
    assert totp.step_of(seed, code_at(seed, NOW_S - 30), NOW_S, after=here) is None
    assert totp.step_of(seed, code_at(seed, NOW_S + 30), NOW_S, after=here) == here + 1


@given(st.text())
def test_other_texts_are_no_codes(text: str) -> None:
    if re.fullmatch("[0-9]{6}", text) is None:
        assert totp.step_of(RFC_SEED, text, NOW_S) is None


def test_seeds_have_160_bits_and_differ() -> None:
    seeds = {totp.new_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert all(re.fullmatch("[A-Z2-7]{32}", seed) for seed in seeds)


def test_address_names_the_server_and_the_account() -> None:
    address = urlsplit(totp.address(RFC_SEED, "ada+1@example.com", "errors.example.com"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == "/tracer (errors.example.com):ada+1@example.com"
    assert parse_qs(address.query)["secret"] == [RFC_SEED]


def test_drawing_has_an_edge_and_the_three_corners() -> None:
    address = totp.address(RFC_SEED, "ada@example.com", "localhost")
    path, size = totp.drawing(address)
    dark = set()
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        dark |= {(int(x) + i, int(y)) for i in range(int(width))}
    matrix = list(segno.make(address, error="l", micro=False).matrix_iter(border=4))
    assert dark == {(x, y) for y, row in enumerate(matrix) for x, bit in enumerate(row) if bit}
    assert all(4 <= x < size - 4 and 4 <= y < size - 4 for x, y in dark)
    for corner in ((4, 4), (size - 11, 4), (4, size - 11)):
        ring = {(corner[0] + i, corner[1]) for i in range(7)}
        assert ring <= dark
    ET.fromstring(f'<svg><path d="{path}"/></svg>')


def test_recovery_codes_are_long_and_differ() -> None:
    codes = [code for _ in range(20) for code in recovery.new_codes()]
    assert len(set(codes)) == 200
    assert all(re.fullmatch("([a-hj-kmnp-z02-9]{4}-){3}[a-hj-kmnp-z02-9]{4}", c) for c in codes)


def test_recovery_code_may_be_typed_without_care() -> None:
    code = recovery.new_codes()[0]
    stored = recovery.code_hash(1, code)
    assert recovery.code_hash(1, f" {code.upper().replace('-', ' ')}\n") == stored
    assert recovery.code_hash(2, code) != stored
    assert code.replace("-", "") not in stored
