"""Browser, system and device out of a User-Agent header: a small table for what is common.

Names are those of the ua-parser project, which Sentry's users know from their tags.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Agent(NamedTuple):
    """What a User-Agent says; None where it does not."""

    browser: str | None = None
    browser_version: str | None = None
    system: str | None = None
    system_version: str | None = None
    device: str | None = None
    brand: str | None = None


_MAX_CHARS = 512
_VERSION = r"(\d+(?:[._]\d+){0,2})"

# The first that matches wins: specific browsers before the engines they are built on.
_BROWSERS = tuple(
    (name, re.compile(pattern.replace("@", _VERSION)))
    for name, pattern in (
        ("Googlebot", r"Googlebot(?:-\w+)?/@"),
        ("bingbot", r"bingbot/@"),
        ("YandexBot", r"YandexBot/@"),
        ("AhrefsBot", r"AhrefsBot/@"),
        ("FacebookBot", r"facebookexternalhit/@"),
        ("Edge Mobile", r"Edg(?:A|iOS)/@"),
        ("Edge", r"Edge?/@"),
        ("Opera Mobile", r"Android.* OPR/@"),
        ("Opera", r"(?:OPR|OPiOS|Opera)/@"),
        ("Samsung Internet", r"SamsungBrowser/@"),
        ("Yandex Browser", r"YaBrowser/@"),
        ("Vivaldi", r"Vivaldi/@"),
        ("UC Browser", r"UC? ?Browser/@"),
        ("DuckDuckGo Mobile", r"(?:DuckDuckGo|Ddg)/@"),
        ("Brave", r"Brave/@"),
        ("Facebook", r"FBAV/@"),
        ("Instagram", r"Instagram @"),
        ("Electron", r"Electron/@"),
        ("Firefox iOS", r"FxiOS/@"),
        ("Firefox Mobile", r"(?:Android|Mobile;).*Firefox/@"),
        ("Firefox", r"Firefox/@"),
        ("Chrome Mobile iOS", r"CriOS/@"),
        ("HeadlessChrome", r"HeadlessChrome/@"),
        ("Chrome Mobile WebView", r"; wv\).*Chrome/@"),
        ("Chrome Mobile", r"Chrome/@.* Mobile"),
        ("Chromium", r"Chromium/@"),
        ("Chrome", r"Chrome/@"),
        ("Android", r"Android.*Version/@.*Safari"),
        ("Mobile Safari", r"Version/@.* Mobile/.*Safari"),
        ("Safari", r"Version/@.*Safari"),
        ("Mobile Safari UI/WKWebView", r"(?:iPhone|iPad)[^)]* OS @.*AppleWebKit"),
        ("Apple Mail", r"Macintosh.*AppleWebKit/@(?!.*Safari)"),
        ("IE", r"MSIE @"),
        ("IE", r"Trident/.*rv:@"),
        ("curl", r"^curl/@"),
        ("Wget", r"^Wget/@"),
        ("Python Requests", r"^python-requests/@"),
        ("Python HTTPX", r"^python-httpx2?/@"),
        ("Python aiohttp", r"aiohttp/@"),
        ("Python-urllib", r"^Python-urllib/@"),
        ("Go-http-client", r"^Go-http-client/@"),
        ("okhttp", r"^okhttp/@"),
        ("Apache-HttpClient", r"^Apache-HttpClient/@"),
        ("Java", r"^Java/@"),
        ("axios", r"^axios/@"),
        ("node-fetch", r"^node-fetch/@"),
        ("PostmanRuntime", r"^PostmanRuntime/@"),
        ("GuzzleHttp", r"^GuzzleHttp/@"),
        ("Faraday", r"^Faraday v@"),
        ("Dart", r"^Dart/@"),
    )
)
_SYSTEMS = tuple(
    (name, re.compile(pattern.replace("@", _VERSION)))
    for name, pattern in (
        ("Windows", r"Windows NT @"),
        ("Windows Phone", r"Windows Phone(?: OS)? @"),
        ("iOS", r"(?:iPhone|iPad|iPod)[^)]* OS @"),
        ("Android", r"Android @"),
        ("Android", r"Android()"),
        ("Chrome OS", r"CrOS \S+ @"),
        ("Mac OS X", r"Mac OS X @"),
        ("Mac OS X", r"Mac OS X()|Macintosh()"),
        ("Ubuntu", r"Ubuntu(?:/@)?"),
        ("Fedora", r"Fedora(?:/@)?"),
        ("FreeBSD", r"FreeBSD(?: @)?"),
        ("Linux", r"Linux()"),
        ("Windows", r"Windows()"),
    )
)
_WINDOWS = {
    "5.1": "XP",
    "5.2": "XP",
    "6.0": "Vista",
    "6.1": "7",
    "6.2": "8",
    "6.3": "8.1",
    "10.0": "10",
}
_APPLE = re.compile(r"\((iPhone|iPad|iPod touch|iPod|Macintosh)\b")
_ANDROID = re.compile(
    r"Android[^;)]*; (?:\w\w[-_]\w\w; )?([^;)]+?)(?: Build/[^;)]*| MIUI/[^;)]*)?(?:; wv)?\)"
)
_GENERIC_MODELS = frozenset(("K", "Mobile", "Tablet", "U", "arm", "arm_64"))
_BRANDS = (
    ("Google", ("Pixel", "Nexus")),
    ("Samsung", ("SM-", "SAMSUNG", "GT-")),
    ("Huawei", ("HUAWEI", "ELE-", "VOG-")),
    ("XiaoMi", ("Mi ", "Redmi", "POCO", "M2")),
    ("OnePlus", ("ONEPLUS", "OnePlus")),
    ("Motorola", ("moto", "Moto", "XT")),
)


@lru_cache(maxsize=1024)
def parse_user_agent(user_agent: str) -> Agent:
    """Browser or HTTP client with its version, system and device."""
    text = user_agent[:_MAX_CHARS]
    browser, browser_version = _first(_BROWSERS, text)
    system, system_version = _first(_SYSTEMS, text)
    if system == "Windows" and system_version is not None:
        system_version = _WINDOWS.get(system_version, system_version)
    device, brand = _device(text, system)
    return Agent(browser, browser_version, system, system_version, device, brand)


def _first(
    table: tuple[tuple[str, re.Pattern[str]], ...], text: str
) -> tuple[str | None, str | None]:
    for name, pattern in table:
        found = pattern.search(text)
        if found is not None:
            version = found.group(1)
            return name, version.replace("_", ".") if version else None
    return None, None


def _device(text: str, system: str | None) -> tuple[str | None, str | None]:
    if "bot" in text.lower():
        return "Spider", None
    apple = _APPLE.search(text)
    if apple is not None:
        model = apple.group(1)
        return ("Mac" if model == "Macintosh" else model), "Apple"
    if system != "Android":
        return None, None
    found = _ANDROID.search(text)
    model = found.group(1).strip() if found is not None else ""
    if not model or model in _GENERIC_MODELS or model.startswith("rv:"):
        return ("Generic Smartphone" if "Mobile" in text else "Generic Tablet"), None
    for brand, starts in _BRANDS:
        if model.startswith(starts):
            return model, brand
    return model, None
