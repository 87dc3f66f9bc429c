"""The shop's customers and what they browse with."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

_FIRST = (
    "Ada Bruno Chiara Deniz Elif Farid Greta Hana Ivo Jana Kofi Lena Mateo Nadia Olu Petra "
    "Quentin Rosa Samir Tove Uma Viktor Wanda Xenia Yusuf Zoe"
)
_LAST = (
    "Abadi Berger Castro Dahl Eriksen Fontaine Gruber Hoang Ivanova Jansen Kowalski Lindqvist "
    "Moreau Nakamura Okafor Pereira Rossi Sato Tanaka Ueda Varga Weber Yilmaz Zeman"
)
_PLACES = (
    ("Berlin", "DE", "de-DE"),
    ("Lisbon", "PT", "pt-PT"),
    ("Toronto", "CA", "en-CA"),
    ("Nagoya", "JP", "ja-JP"),
    ("Lyon", "FR", "fr-FR"),
    ("Leeds", "GB", "en-GB"),
    ("Austin", "US", "en-US"),
    ("Gothenburg", "SE", "sv-SE"),
    ("Accra", "GH", "en-GH"),
)
_AGENT = "Mozilla/5.0 ({system}) {engine}"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"

CUSTOMERS = 72


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser on a device, as its user agent tells."""

    name: str
    version: str
    system: str
    system_version: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True)
class Person:
    """A customer. Addresses are of the ranges for documentation (RFC 2606, RFC 5737)."""

    id: int
    name: str
    email: str
    address: str
    city: str
    country: str
    locale: str
    tier: str
    browser: Browser

    @property
    def user(self) -> dict[str, Any]:
        """As an SDK's `set_user` has it."""
        return {
            "id": str(self.id),
            "username": self.email.partition("@")[0],
            "email": self.email,
            "ip_address": self.address,
            "geo": {"city": self.city, "country_code": self.country},
        }


def _agent(system: str, engine: str) -> str:
    return _AGENT.format(system=system, engine=engine)


BROWSERS = (
    Browser(
        "Chrome", "149.0.0.0", "Windows", "11", "",
        _agent("Windows NT 10.0; Win64; x64", f"{_BLINK} Chrome/149.0.0.0 Safari/537.36"),
    ),
    Browser(
        "Chrome", "149.0.0.0", "Mac OS X", "15.5", "Mac",
        _agent("Macintosh; Intel Mac OS X 10_15_7", f"{_BLINK} Chrome/149.0.0.0 Safari/537.36"),
    ),
    Browser(
        "Mobile Safari", "19.1", "iOS", "19.1", "iPhone",
        _agent(
            "iPhone; CPU iPhone OS 19_1 like Mac OS X",
            f"{_WEBKIT} Version/19.1 Mobile/15E148 Safari/604.1",
        ),
    ),
    Browser(
        "Safari", "19.0", "Mac OS X", "15.4", "Mac",
        _agent("Macintosh; Intel Mac OS X 10_15_7", f"{_WEBKIT} Version/19.0 Safari/605.1.15"),
    ),
    Browser(
        "Firefox", "151.0", "Ubuntu", "", "",
        _agent("X11; Ubuntu; Linux x86_64; rv:151.0", "Gecko/20100101 Firefox/151.0"),
    ),
    Browser(
        "Chrome Mobile", "148.0.0.0", "Android", "16", "Pixel 9",
        _agent("Linux; Android 16; Pixel 9", f"{_BLINK} Chrome/148.0.0.0 Mobile Safari/537.36"),
    ),
    Browser(
        "Edge", "149.0.0.0", "Windows", "10", "",
        _agent(
            "Windows NT 10.0; Win64; x64",
            f"{_BLINK} Chrome/149.0.0.0 Safari/537.36 Edg/149.0.0.0",
        ),
    ),
)  # fmt: skip


def customers(random: Random) -> list[Person]:
    """The same people for the same seed."""
    people = []
    for number in range(CUSTOMERS):
        first, last = random.choice(_FIRST.split()), random.choice(_LAST.split())
        city, country, locale = random.choice(_PLACES)
        people.append(
            Person(
                id=10_000 + number * 37,
                name=f"{first} {last}",
                email=f"{first}.{last}{number}@example.com".lower(),
                address=f"203.0.113.{number + 1}",
                city=city,
                country=country,
                locale=locale,
                tier=random.choices(("basic", "plus", "business"), (70, 22, 8))[0],
                browser=random.choice(BROWSERS),
            )
        )
    return people
