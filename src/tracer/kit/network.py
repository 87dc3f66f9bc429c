"""Who is at the other end: the client's address and the URL it used, past trusted proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

_HOST = re.compile(r"(?:[a-zA-Z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?")
_MOST_HOPS = 20


class Network:
    """Decides from the settings which forwarding headers are believed."""

    def __init__(
        self, *, trusted_proxies: Iterable[str] = (), url: str = "", port: int = 0
    ) -> None:
        self._trusted = tuple(ipaddress.ip_network(text) for text in trusted_proxies)
        self._known: dict[str, bool] = {}
        self._url = url
        self._fallback = f"http://localhost:{port}" if port else "http://localhost"

    @property
    def public_url(self) -> str:
        """The URL for links that are sent elsewhere: the setting `url`, and never what a request's
        Host header says, which anybody can choose."""
        return self._url or self._fallback

    def client_ip(self, scope: Mapping[str, Any]) -> str:
        """The address of the client of an ASGI request: the last hop that is no trusted proxy."""
        peer = peer_of(scope)
        if not self.trusts(peer):
            return peer
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if not hops:
            return peer
        return self._walk(peer, b",".join(hops).decode("latin-1"))[0]

    def base_url(self, peer: str, headers: Mapping[str, str], scheme: str = "http") -> str:
        """`https://host[:port]`: the setting `url`, else as the client asked for it.

        A Host header that is none is never repeated.
        """
        if self._url:
            return self._url
        host = headers.get("host", "")
        if "x-forwarded-proto" in headers and self.trusts(peer):
            scheme = self._scheme(peer, headers) or scheme
        if not _HOST.fullmatch(host):
            return self._fallback
        return f"{scheme}://{host}"

    def _scheme(self, peer: str, headers: Mapping[str, str]) -> str:
        """The scheme that the outermost trusted proxy was asked with; empty when it says none.

        Where each proxy adds its own, what stands before the outermost one's is the client's word.
        """
        said = headers["x-forwarded-proto"].split(",")
        _, proxies = self._walk(peer, headers.get("x-forwarded-for", ""))
        scheme = said[max(len(said) - proxies, 0)].strip().lower()
        return scheme if scheme in ("http", "https") else ""

    def _walk(self, peer: str, forwarded: str) -> tuple[str, int]:
        """The client's address, and how many trusted proxies were passed on the way to it."""
        address, proxies = peer, 0
        for hop in reversed(forwarded.split(",")[-_MOST_HOPS:]):
            found = _address(hop)
            if not found:
                break
            address, proxies = found, proxies + 1
            if not self.trusts(address):
                break
        return address, max(proxies, 1)

    def trusts(self, address: str) -> bool:
        """Whether an address is a trusted proxy's."""
        if not self._trusted:
            return False
        known = self._known.get(address)
        if known is None:
            if len(self._known) > 4096:
                self._known.clear()
            known = self._known[address] = self._is_trusted(address)
        return known

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address at the other end of the connection; empty on a unix socket."""
    client = scope.get("client")
    if not client:
        return ""
    address: str = client[0]
    # A socket for both families tells of IPv4 so.
    return address.removeprefix("::ffff:") if "." in address else address


def _address(text: str) -> str:
    """A hop of X-Forwarded-For without its port; empty when it is no address."""
    hop = text.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(hop)
    except ValueError:
        return ""
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
