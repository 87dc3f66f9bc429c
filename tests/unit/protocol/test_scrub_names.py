from __future__ import annotations

import pytest

from tracer.protocol.scrub_names import SAFE, compile_names

_SENSITIVE_NAMES = """
    password passwd PASSWORD Password db_password newPassword password2 password_confirmation
    user[password] passphrase mysql_pwd MYSQL_PWD pwd userPwd pass db_pass PGPASSWORD secret
    client_secret SECRET_KEY secretKey AWS_SECRET_ACCESS_KEY credentials aws_credentials api_key
    apiKey apikey API-KEY X-API-Key stripe_api_keys access_key private_key privateKey auth
    Authorization HTTP_AUTHORIZATION Proxy-Authorization basic_auth auth_header oauth_verifier
    token access_token refreshToken id_token auth_token authToken github_token stripetoken
    stripeToken device_token X-Auth-Token X-Amz-Security-Token AWS_SESSION_TOKEN bearer jwt
    SENTRY_AUTH_TOKEN token_value access_tokens session_id sessionid sessionId PHPSESSID
    JSESSIONID ASP.NET_SessionId connect.sid sid csrf csrftoken X-CSRFToken csrfmiddlewaretoken
    _xsrf X-XSRF-TOKEN cookie Cookie Set-Cookie HTTP_COOKIE cookies card_number cardNumber
    card[number] cc_number credit_card cvv card_cvc ssn social_security_number otp totp_secret
    SAMLResponse X-Amz-Signature AccountKey
"""
SENSITIVE = _SENSITIVE_NAMES.split()

_INNOCENT_NAMES = """
    author authors authority XAUTHORITY authenticated is_authenticated auth_method auth_backend
    token_count tokens tokens_used max_tokens total_tokens prompt_tokens tokenizer token_type
    passenger passengers passed passing passport pass_rate compass bypass classpath secretary
    secretariat password_policy min_password_length has_password password_changed key keys
    primary_key foreign_key public_key cache_key partition_key keyboard monkey turkey session
    session_duration SESSION_MANAGER side inside president message description cookie_consent
    cookie_domain card cards dashboard discarded credentials_file accessed id email name username
    user_id host url path query status PWD OLDPWD expires_in
"""
INNOCENT = _INNOCENT_NAMES.split()


def rule_of(name: str) -> str | None:
    return compile_names(True, False, (), ()).rule_of(name)


@pytest.mark.parametrize("name", SENSITIVE)
def test_sensitive_names(name: str) -> None:
    assert rule_of(name)


@pytest.mark.parametrize("name", INNOCENT)
def test_innocent_names(name: str) -> None:
    assert rule_of(name) is None


def test_rules_tell_what_was_found() -> None:
    found = [rule_of(name) for name in ("db_password", "x-api-key", "Cookie", "cvv", "sid", "jwt")]
    assert found == ["password", "api_key", "cookie", "card", "session", "token"]


def test_own_names_match_as_a_part_without_case_and_separators() -> None:
    names = compile_names(True, False, ("Kunden-Nummer", "pin4you", ""), ())
    assert names.rule_of("kundennummer") == "sensitive_name"
    assert names.rule_of("KUNDEN_NUMMER_ALT") == "sensitive_name"
    assert names.rule_of("pin4you") == "sensitive_name"
    assert names.rule_of("nummer") is None


def test_safe_names_win_over_every_rule_and_match_whole() -> None:
    names = compile_names(True, True, ("csrf",), ("csrf-token", "ip"))
    assert names.rule_of("CSRF_Token") == SAFE
    assert names.rule_of("ip") == SAFE
    assert names.rule_of("my_csrf_token") == "sensitive_name"
    assert names.cookie_rule_of("csrf_token") == SAFE


def test_without_defaults_only_own_names_count() -> None:
    names = compile_names(False, False, ("iban",), ())
    assert names.rule_of("password") is None
    assert names.cookie_rule_of("session") is None
    assert names.rule_of("customer_iban") == "sensitive_name"


def test_addresses_are_names_only_when_asked_for() -> None:
    with_ip = compile_names(True, True, (), ())
    for name in ("ip_address", "REMOTE_ADDR", "X-Forwarded-For", "HTTP_X_REAL_IP", "clientIp"):
        assert rule_of(name) is None
        assert with_ip.rule_of(name) == "ip"
    assert with_ip.rule_of("shipping") is None


def test_cookies_have_more_sensitive_names() -> None:
    names = compile_names(True, False, (), ())
    assert names.rule_of("session") is None
    assert [names.cookie_rule_of(name) for name in ("session", "remember_me", "sessionid")] == [
        "cookie",
        "cookie",
        "session",
    ]
    assert names.cookie_rule_of("theme") is None


def test_memory_of_decisions_is_bounded() -> None:
    names = compile_names(True, False, (), ())
    for number in range(50_000):
        names.rule_of(f"field{number}")
        names.rule_of(f"password{number}")
        names.may_be_sensitive({b"field%d" % number})
    assert names.rule_of("x" * 5000) is None
    remembered = [*names.benign, *names.flagged, *names.benign_bare]
    assert len(remembered) <= 60_000
    assert max(map(len, remembered)) <= 64
    assert names.rule_of("password7") == "password"


@pytest.mark.parametrize("name", SENSITIVE)
def test_the_first_look_at_texts_misses_no_sensitive_name(name: str) -> None:
    names = compile_names(True, False, (), ())
    flat = "".join(character for character in name.lower() if character.isalnum())
    zeroed = "".join("0" if character.isdigit() else character for character in flat)
    assert names.may_be_sensitive({zeroed.encode()})
