"""Free ports on loopback."""

from __future__ import annotations

import secrets
import socket

from infra_mind.embedded.errors import EmbeddedServerError

PORTS = range(15_000, 32_000)
"""Below every platform's ephemeral ports, so that no outgoing connection takes one."""


def free_port() -> int:
    for _ in range(200):
        if port_is_free(port := secrets.choice(PORTS)):
            return port
    raise EmbeddedServerError("No free port was found on 127.0.0.1.")


def port_is_free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
