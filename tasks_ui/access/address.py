"""Where a request comes from.

Behind a proxy, every connection comes from the proxy, which names its client in
``X-Forwarded-For``. Anyone can send that header, so only the last ``TRUSTED_PROXIES`` entries are
believed: each proxy in front appends the address that it saw itself.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address; None if there is none, as on a Unix socket."""
    seen = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    if 0 < proxies <= len(seen):
        return _valid(seen[-proxies])
    return _valid(request.META.get("REMOTE_ADDR", ""))


def _valid(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)
