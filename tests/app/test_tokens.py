"""Access tokens: what they hold, who they belong to, and what a forged one meets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from harness import Running
from tracer import clock
from tracer.accounts.tokens import actions, jwt, keys, queries
from tracer.accounts.tokens.model import (
    DAY_MS,
    ORGANIZATION,
    PERSONAL,
    Made,
    NewToken,
    check_scopes,
)
from tracer.errors import Conflict, Forbidden

PATH = "/api/0/projects/"


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    yield
    clock.set_clock(None)


def status(tracer: Running, text: str, path: str = PATH) -> int:
    sent = {"Authorization": f"Bearer {text}".encode("latin-1")}
    answer = tracer.visitor.get(path, headers=sent)
    if answer.status_code == 401:
        assert answer.json() == {"detail": "Invalid token"}
    return answer.status_code


def make(tracer: Running, kind: str = PERSONAL, **changes: Any) -> Made:
    user_id = tracer.add_user()
    fields: dict[str, Any] = {"scopes": ("org:read", "project:read"), "name": "t", **changes}
    new = NewToken(kind=kind, user_id=user_id, organization_id=tracer.org.id, **fields)
    with tracer.meta.write() as tx:
        return actions.create_token(tx, tracer.tracer.vault, new)


def later(seconds: float) -> None:
    import time

    clock.set_clock(lambda: time.time() + seconds)


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = text.split(".")
    pad = "=" * 3
    return (
        json.loads(base64.urlsafe_b64decode(header + pad)),
        json.loads(base64.urlsafe_b64decode(claims + pad)),
    )


def signed(tracer: Running, header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
    """Any header and claims with this server's own key: signatures that are right."""
    with tracer.meta.write() as tx:
        kid, key = keys.signer(tx, tracer.tracer.vault)
    first = segment({"alg": "Ed25519", "kid": kid, "typ": "JWT", **header})
    body = f"{first}.{segment(claims)}"
    return f"{body}.{segment(key.get_op_key('sign').sign(body.encode()))}"


def test_token_says_whose_it_is_and_until_when(tracer: Running) -> None:
    made = make(tracer, project_ids=(tracer.project.id,), lives_ms=30 * DAY_MS)
    header, claims = read(made.text)
    assert set(header) == {"alg", "kid", "typ"}
    assert header["alg"] == "Ed25519"
    assert claims["iss"] == "tracer"
    assert claims["sub"] == f"user:{made.token.user_id}"
    assert claims["org"] == tracer.org.id
    assert claims["scopes"] == ["org:read", "project:read"]
    assert claims["projects"] == [tracer.project.id]
    assert claims["exp"] - claims["iat"] == 30 * 86_400
    assert claims["nbf"] == claims["iat"]
    assert status(tracer, made.text) == 200


def test_private_key_is_stored_sealed_and_the_text_not_at_all(tracer: Running) -> None:
    made = make(tracer)
    tracer.meta.read()
    raw = tracer.app.folder.meta.read_bytes() + (
        tracer.app.folder.meta.with_name("meta.db-wal").read_bytes()
    )
    signature = made.text.rsplit(".", 1)[1].encode()
    assert signature not in raw
    with tracer.meta.write() as tx:
        _, key = keys.signer(tx, tracer.tracer.vault)
    assert key.as_dict(private=True)["d"].encode() not in raw


def forgeries(tracer: Running) -> dict[str, str]:
    made = make(tracer)
    header, claims = read(made.text)
    first, second, third = made.text.split(".")
    public = tracer.meta.read().value("SELECT public_key FROM signing_keys")
    x = json.loads(public)["x"]
    own = OKPKey.generate_key("Ed25519")
    more = {**claims, "scopes": ["org:admin"]}

    def mac(secret: bytes) -> str:
        body = f"{segment({**header, 'alg': 'HS256'})}.{second}"
        return f"{body}.{segment(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"

    def named_twice(**first: str) -> str:
        pairs = [*first.items(), *header.items()]
        raw = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs)
        body = f"{segment(f'{{{raw}}}'.encode())}.{segment(more)}"
        return f"{body}.{segment(own.get_op_key('sign').sign(body.encode()))}"

    def right(changes: dict[str, Any], **heads: Any) -> str:
        return signed(tracer, heads, {**claims, **changes})

    now = int(clock.now_s())
    return {
        "no algorithm": f"{segment({**header, 'alg': 'none'})}.{second}.",
        "no algorithm, signature kept": f"{segment({**header, 'alg': 'None'})}.{second}.{third}",
        "HS256 by public key": mac(public.encode()),
        "HS256 by raw public key": mac(base64.urlsafe_b64decode(x + "===")),
        "HS256 by nothing": mac(b""),
        "other algorithm name, right signature": right({}, alg="EdDSA"),
        "own key, known kid": jws.serialize_compact(
            header, json.dumps(more), own, algorithms=["Ed25519"]
        ),
        "own key in the header": jws.serialize_compact(
            {**header, "jwk": own.as_dict(private=False)},
            json.dumps(more),
            own,
            algorithms=["Ed25519"],
        ),
        "changed claims": f"{first}.{segment(more)}.{third}",
        "algorithm named twice": named_twice(alg="none"),
        "kid named twice": named_twice(kid="own"),
        "signature of another token": f"{first}.{second}.{make(tracer).text.rsplit('.', 1)[1]}",
        "signature cut": made.text[:-4],
        "signature with more behind it": made.text + "AAAA",
        "signature of nothing": f"{first}.{second}.{segment(bytes(64))}",
        "padded": made.text + "==",
        "unknown kid": right({}, kid="0" * 16),
        "kid in capitals": right({}, kid=header["kid"].upper() + "x"),
        "kid as a path": right({}, kid="../../master.key"),
        "kid as SQL": right({}, kid="' OR 1=1 --"),
        "kid as a list": right({}, kid=[header["kid"]]),
        "kid is null": right({}, kid=None),
        "critical header": right({}, crit=["exp"]),
        "critical b64": right({}, crit=["b64"], b64=False),
        "key address": right({}, jku="https://evil.example/keys"),
        "other type": right({}, typ="at+jwt"),
        "expired": right({"exp": now - 1}),
        "not yet valid": right({"nbf": now + 3600}),
        "made in the future": right({"iat": now + 3600}),
        "other issuer": right({"iss": "evil"}),
        "other organization": right({"org": tracer.org.id + 1}),
        "other owner": right({"sub": "user:999"}),
        "owner of another kind": right({"sub": f"organization:{tracer.org.id}"}),
        "odd owner": right({"sub": "user:1 OR 1"}),
        "unknown id": right({"jti": "f" * 32}),
        "expiry as text": right({"exp": str(now + 3600)}),
        "expiry as a fraction": right({"exp": now + 3600.5}),
        "scopes as text": right({"scopes": "org:admin"}),
        "unknown claim": right({"admin": True}),
        "claims are a list": signed(tracer, {}, b"[1]"),
        "claims are no JSON": signed(tracer, {}, b"\xff\xfe"),
        "claims are deep": signed(tracer, {}, b"[" * 5000),
        "no claims": f"{first}..{third}",
        "two parts": f"{first}.{second}",
        "five parts": f"{made.text}.a.b",
        "empty": "",
        "blank": " ",
        "not ASCII": f"{first}.{second}.\u00fc",
        "long": "a" * 9000,
        "old kind of token": "sntryu_" + "a" * 64,
    }


def test_whatever_is_wrong_with_a_token_is_told_alike(tracer: Running) -> None:
    for name, text in forgeries(tracer).items():
        assert status(tracer, text) == 401, name
        assert status(tracer, text) == 401, f"{name}, again"


def test_expiry_holds_while_the_token_is_remembered(tracer: Running) -> None:
    made = make(tracer, lives_ms=30 * DAY_MS)
    assert status(tracer, made.text) == 200
    later(30 * 86_400 - 5)
    assert status(tracer, made.text) == 200
    later(30 * 86_400 + 1)
    assert status(tracer, made.text) == 401


def test_clock_that_was_set_back_a_little_is_forgiven(tracer: Running) -> None:
    made = make(tracer)
    later(-20)
    assert status(tracer, made.text) == 200
    later(-60)
    assert status(tracer, made.text) == 401


def test_token_is_refused_the_moment_it_is_revoked(tracer: Running) -> None:
    made = make(tracer)
    assert status(tracer, made.text) == 200
    with tracer.meta.write() as tx:
        actions.revoke_token(tx, made.token)
    assert status(tracer, made.text) == 401
    assert status(tracer, make(tracer).text) == 200


def test_revoked_token_stays_revoked_over_a_restart(tracer: Running) -> None:
    made = make(tracer)
    with tracer.meta.write() as tx:
        actions.revoke_token(tx, made.token)
    tracer.app.tokens.refresh(tracer.meta.read())
    assert status(tracer, made.text) == 401


def test_token_of_somebody_who_left_is_refused(tracer: Running) -> None:
    text = tracer.token("project:read", email="bob@example.com", role="member")
    assert status(tracer, text) == 200
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM members WHERE role = 'member'")
    assert status(tracer, text) == 401


def test_token_of_the_organization_outlives_its_maker(tracer: Running) -> None:
    made = make(tracer, ORGANIZATION)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM users")
    assert status(tracer, made.text) == 200
    answer = tracer.visitor.get("/api/0/", headers={"Authorization": f"Bearer {made.text}"})
    assert answer.json()["user"] is None
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("DELETE FROM organizations")
    assert status(tracer, made.text) == 401


def test_token_of_the_organization_says_nothing_about_people(tracer: Running) -> None:
    made = make(tracer, ORGANIZATION, scopes=("member:admin", "org:admin", "project:read"))
    answer = tracer.visitor.get("/api/0/", headers={"Authorization": f"Bearer {made.text}"})
    scopes = answer.json()["auth"]["scopes"]
    assert "project:read" in scopes
    assert not {"member:write", "member:admin", "org:write", "org:admin"} & set(scopes)


def test_token_for_one_project_sees_no_other(tracer: Running) -> None:
    other = tracer.add_project("other")
    made = make(tracer, project_ids=(other.id,))
    answer = tracer.visitor.get(PATH, headers={"Authorization": f"Bearer {made.text}"})
    assert [project["slug"] for project in answer.json()] == ["other"]
    path = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/"
    assert status(tracer, made.text, path) == 404


def test_rotated_token_works_until_the_overlap_ends(tracer: Running) -> None:
    made = make(tracer)
    assert status(tracer, made.text) == 200
    with tracer.meta.write() as tx:
        new = actions.rotate_token(tx, tracer.tracer.vault, made.token, 3600, None)
    assert new.token.scopes == made.token.scopes
    assert (status(tracer, made.text), status(tracer, new.text)) == (200, 200)
    later(3601)
    assert (status(tracer, made.text), status(tracer, new.text)) == (401, 200)
    again = queries.token_by_id(tracer.meta.read(), made.token.id)
    assert again is not None
    with pytest.raises(Conflict), tracer.meta.write() as tx:
        actions.rotate_token(tx, tracer.tracer.vault, again, 0, None)


def test_signing_key_rotates_without_ending_tokens_before_the_overlap(tracer: Running) -> None:
    made = make(tracer)
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, 30 * DAY_MS)
    new = make(tracer)
    assert read(made.text)[0]["kid"] != read(new.text)[0]["kid"]
    assert (status(tracer, made.text), status(tracer, new.text)) == (200, 200)
    found = queries.token_by_id(tracer.meta.read(), made.token.id)
    assert found is not None
    assert found.is_cut_short
    later(30 * 86_400 + 1)
    assert (status(tracer, made.text), status(tracer, new.text)) == (401, 200)


def test_token_that_names_another_known_key_is_refused(tracer: Running) -> None:
    old = make(tracer)
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, 30 * DAY_MS)
    claims = read(old.text)[1]
    assert status(tracer, signed(tracer, {}, claims)) == 200
    assert status(tracer, signed(tracer, {"kid": read(old.text)[0]["kid"]}, claims)) == 401


def test_key_that_retired_verifies_nothing_any_more(tracer: Running) -> None:
    made = make(tracer)
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, 0)
    # Neither what is remembered of it nor a look at it anew lets it in.
    assert status(tracer, made.text) == 401
    tracer.app.tokens._verified.clear()
    assert status(tracer, made.text) == 401
    assert status(tracer, make(tracer).text) == 200


def test_key_that_no_longer_signs_has_no_private_half(tracer: Running) -> None:
    make(tracer)
    with tracer.meta.write() as tx:
        keys.rotate(tx, tracer.tracer.vault, DAY_MS)
    old = tracer.meta.read().value(
        "SELECT secret_id FROM signing_keys WHERE retires_at IS NOT NULL"
    )
    assert tracer.tracer.vault.open_secret(tracer.meta.read(), old) == b"destroyed"


def test_signing_key_rotates_by_itself_and_retired_ones_are_forgotten(tracer: Running) -> None:
    from tracer.accounts.tokens import tasks

    made = make(tracer)
    tasks.tend_tokens(tracer.tracer)
    assert len(keys.signing_keys(tracer.meta.read())) == 1
    later(91 * 86_400)
    tasks.tend_tokens(tracer.tracer)
    assert len(keys.signing_keys(tracer.meta.read())) == 2
    assert status(tracer, made.text) == 200
    later(600 * 86_400)
    tasks.tend_tokens(tracer.tracer)
    assert made.token.jti not in {
        row[0] for row in tracer.meta.read().rows("SELECT jti FROM tokens")
    }


def test_nobody_gives_a_token_what_they_lack() -> None:
    with pytest.raises(Forbidden):
        check_scopes(["org:admin"], frozenset({"org:read"}))


def test_tokens_that_were_not_signed_here_are_not_remembered(tracer: Running) -> None:
    well_signed = {"organization", "owner", "id"}
    forged = {k: v for k, v in forgeries(tracer).items() if not well_signed & set(k.split())}
    before = len(tracer.app.tokens._verified)
    for text in forged.values():
        assert status(tracer, text) == 401
    assert len(tracer.app.tokens._verified) == before
    assert jwt.verify("a.b.c", {}, 0) is None
