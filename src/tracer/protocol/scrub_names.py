"""Which names (keys, headers, parameters, variables) say that their value is a secret.

Substrings of the bare name catch `MYSQL_PWD`, `x-api-key` and `userPassword`; a look at the words
spares `author`, `token_count`, `password_policy` and `secretary`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

SAFE = ""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NOT_BARE = re.compile(r"[^a-z0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEY_OWNERS = _words("""
    api access private encryption crypt signing ssh master auth account shared license session
    consumer app webhook
""")

# A name that has one of these in it, separators aside, is sensitive.
_CONTAINS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("private_key", ("privatekey",)),
    (
        "password",
        ("password", "passwd", "passphrase", "passcode", "passwort", "motdepasse", "contrase"),
    ),
    ("card", ("cardnum", "creditcard", "debitcard", "ccnum")),
    ("api_key", tuple(owner + "key" for owner in sorted(_KEY_OWNERS - {"private"}))),
    ("secret", ("secret", "credential", "saml", "amzsignature", "hubsignature")),
    ("auth", ("authorization", "authheader", "oauthverifier", "oauthsignature", "authcode")),
    ("session", ("sessionid", "sessid", "sessioncookie")),
    ("token", ("csrf", "xsrf")),
    ("ssn", ("socialsecurity",)),
)
# A name that ends so is sensitive.
_ENDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "token",
        ("token", "authtokens", "accesstokens", "refreshtokens", "apitokens", "sessiontokens"),
    ),
    ("password", ("pwd", "dbpass", "userpass", "smtppass", "sqlpass", "sshpass", "adminpass")),
    ("cookie", ("cookie", "cookies")),
    ("card", ("cvv", "cvc", "cvv2", "cvc2", "cardno")),
)
# A name whose last word this is, is sensitive.
_LAST_WORD = {
    "auth": "auth",
    "authentication": "auth",
    "oauth": "auth",
    "bearer": "token",
    "jwt": "token",
    "pass": "password",
    "creds": "secret",
    "sid": "session",
    "otp": "otp",
    "totp": "otp",
    "ssn": "ssn",
}
# Names that end so speak about the secret: its length, its place, its policy.
_ABOUT = _words("""
    at available backend backends budget changed class cost count counts dir disabled embedding
    embeddings enabled endpoint error errors expiration expire expired expires expiry field fields
    file form format hasher hashers hint ids in index kind len length limit limits logprobs method
    methods name names path policies policy position price provider rate ratio required rotation
    size source status strength symbol total totals ttl type types uri url usage used valid
    validator validators validity version
""")
_ABOUT_PREFIX = _words("allow can has is max min n needs num require requires show use")
_COOKIE_WORDS = _words("auth id jwt login remember sess session sid sso token user")
_IP_NAMES = _words("""
    ip ipaddress ipaddr clientip clientaddress remoteip remoteaddr remoteaddress userip realip
    xrealip forwarded forwardedfor xforwardedfor xoriginalforwardedfor xclientip xclusterclientip
    cfconnectingip cfconnectingipv6 trueclientip fastlyclientip
""")
# Every default name has one of these in it: the one search that clears most names.
_CORE = (
    "pass|pwd|secret|token|cred|auth|sess|sid|srf|cookie|card|ccnum|cv[cv]|ssn|socialsec|jwt|bearer|otp|saml|"
    "signature|contrase|motdepasse|(?:" + "|".join(sorted(_KEY_OWNERS)) + ")key"
)
_ENVIRONMENT_PATHS = frozenset(("PWD", "OLDPWD"))
_MAX_CACHED = 20_000
_MAX_CACHED_CHARS = 64


@dataclass(frozen=True, slots=True)
class Names:
    """A project's rules about names; `benign` and `flagged` remember what was decided."""

    defaults: bool
    scrub_ip: bool
    sensitive: tuple[str, ...]
    safe: frozenset[str]
    core: Callable[[str], object]
    benign: set[str]
    flagged: dict[str, str]
    benign_bare: set[bytes]

    def rule_of(self, name: str) -> str | None:
        """The rule by which the value of `name` is removed; None when none does, SAFE when the
        project says that it stays whatever it holds."""
        if name in self.benign:
            return None
        rule = self.flagged.get(name)
        if rule is not None:
            return rule
        rule = self._decide(name)
        if len(name) <= _MAX_CACHED_CHARS:
            _remember(self.benign, self.flagged, name, rule)
        return rule

    def cookie_rule_of(self, name: str) -> str | None:
        """As `rule_of`; more names are sensitive in a cookie than elsewhere."""
        rule = self.rule_of(name)
        if rule is not None or not self.defaults:
            return rule
        words = {word.lower() for word in _WORD.findall(name[:200])}
        return "cookie" if words & _COOKIE_WORDS else None

    def may_be_sensitive(self, found: set[bytes]) -> list[bytes]:
        """Of bare names (lower-case, no separators, digits as 0) those that need a closer look."""
        flagged = []
        for name in found - self.benign_bare:
            if self.core(name.decode("ascii")):
                flagged.append(name)
            elif len(name) <= _MAX_CACHED_CHARS:
                if len(self.benign_bare) >= _MAX_CACHED:
                    self.benign_bare.clear()
                self.benign_bare.add(name)
        return flagged

    def _decide(self, name: str) -> str | None:
        name = name[-200:]
        flat = bare(name)
        if flat in self.safe:
            return SAFE
        if any(one in flat for one in self.sensitive):
            return "sensitive_name"
        if self.scrub_ip and (flat in _IP_NAMES or flat.removeprefix("http") in _IP_NAMES):
            return "ip"
        if not self.defaults or not self.core(flat) or name in _ENVIRONMENT_PATHS:
            return None
        return _default_rule(name, flat)


def compile_names(
    defaults: bool, scrub_ip: bool, sensitive: tuple[str, ...], safe: tuple[str, ...]
) -> Names:
    """`sensitive` are substrings and `safe` whole names; case and separators do not count."""
    flat_sensitive = tuple(flat for flat in map(bare, sensitive) if flat)
    # Names out of texts come with their digits as 0: the search has to know both spellings.
    parts = [re.escape(spelling) for one in flat_sensitive for spelling in (one, _zeroed(one))]
    if defaults:
        parts.append(_CORE)
    if scrub_ip:
        parts.append("^(?:http)?(?:" + "|".join(sorted(_IP_NAMES)) + ")$")
    return Names(
        defaults=defaults,
        scrub_ip=scrub_ip,
        sensitive=flat_sensitive,
        safe=frozenset(map(bare, safe)),
        core=re.compile("|".join(parts) if parts else r"(?!)").search,
        benign=set(),
        flagged={},
        benign_bare=set(),
    )


def bare(name: str) -> str:
    """Lower-case letters and digits only: `X-Api-Key` -> `xapikey`."""
    return _NOT_BARE.sub("", name.lower())


def _zeroed(text: str) -> str:
    return re.sub(r"\d", "0", text)


def _remember(benign: set[str], flagged: dict[str, str], name: str, rule: str | None) -> None:
    if rule is None:
        if len(benign) >= _MAX_CACHED:
            benign.clear()
        benign.add(name)
    else:
        if len(flagged) >= _MAX_CACHED:
            flagged.clear()
        flagged[name] = rule


def _default_rule(name: str, flat: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return None
    last = words[-1]
    if len(words) > 1 and (last in _ABOUT or words[0] in _ABOUT_PREFIX):
        return None
    spared = flat.replace("secretar", "")  # secretary, secretariat
    for rule, parts in _CONTAINS:
        if any(part in spared for part in parts):
            return rule
    for rule, ends in _ENDS:
        if flat.endswith(ends):
            return rule
    if "token" in words:
        return "token"
    return _LAST_WORD.get(last)
