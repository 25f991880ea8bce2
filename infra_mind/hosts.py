"""Where the web process listens (HOST), and the names that reach it."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import psutil

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  what reaches "all addresses"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def reached_at(host: str) -> str:
    """The host to use in URLs on this machine."""
    host = host.strip("[]")
    return LOOPBACK.get(host) or (f"[{host}]" if ":" in host else host)


def own_names() -> list[str]:
    """This machine's names and addresses, as they appear in a Host header."""
    names = {"localhost", socket.gethostname().lower()}
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET:
                names.add(each.address)
            elif each.family == socket.AF_INET6 and "%" not in each.address:
                names.add(f"[{each.address}]")
    return sorted(names)


def address_to_bind(host: str, port: int) -> Any:
    """Family, type, protocol, name and address for a socket. Raises OSError."""
    return socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
