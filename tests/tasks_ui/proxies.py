"""A TCP proxy in front of the web process that misbehaves as instructed."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from types import TracebackType
from typing import Self

from tests.stack import free_port

HEAD_MAX_BYTES = 64 * 1024


class Proxy:
    """Forwards connections to ``port`` on this machine. ``cut`` breaks all open ones.

    With ``refuses_upgrades`` it answers a WebSocket's handshake with 403, as some companies do;
    with ``drops_cookies`` it removes the Cookie header from the handshake.
    """

    def __init__(
        self, port: int, *, refuses_upgrades: bool = False, drops_cookies: bool = False
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.cuts = 0
        self.refused = 0
        self.upgrades = 0
        self._target = port
        self._refuses_upgrades = refuses_upgrades
        self._drops_cookies = drops_cookies
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> bool:
        """Break all connections. False if there was none."""
        broken = 0
        for end in list(self._open):
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                broken += 1
        self.cuts += bool(broken)
        return bool(broken)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            head = _head(client)
            is_upgrade = b"upgrade: websocket" in head.lower()
            self.upgrades += is_upgrade
            if is_upgrade and self._drops_cookies:
                head = re.sub(rb"(?im)^cookie:.*\r\n", b"", head)
            if is_upgrade and self._refuses_upgrades:
                self.refused += 1
                client.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {client, server}
            server.sendall(head)
        except OSError:
            client.close()
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _head(client: socket.socket) -> bytes:
    """The first request of a connection, up to the end of its headers."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_MAX_BYTES:
        data = client.recv(65_536)
        if not data:
            break
        head += data
    return head
