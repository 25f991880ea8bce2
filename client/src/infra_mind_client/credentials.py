"""Tokens that ``infra-mind login`` stores, one per server, readable only by their owner."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from infra_mind_client.errors import CannotAssessError


def path() -> Path:
    return Path(click.get_app_dir("infra-mind")) / "credentials.json"


def token_of(url: str) -> str | None:
    found: str | None = _read().get("tokens", {}).get(url.rstrip("/"))
    return found


def last_server() -> str | None:
    """The server of the last login."""
    found: str | None = _read().get("server")
    return found


def keep(url: str, token: str) -> Path:
    """Store the token, and make its server the default."""
    url, kept = url.rstrip("/"), _read()
    kept = {"server": url, "tokens": {**kept.get("tokens", {}), url: token}}
    return _write(kept)


def forget(url: str) -> bool:
    """Delete the token. False if there was none."""
    url, kept = url.rstrip("/"), _read()
    if kept.get("tokens", {}).pop(url, None) is None:
        return False
    if kept.get("server") == url:
        kept["server"] = next(iter(kept["tokens"]), None)
    _write(kept)
    return True


def _read() -> dict[str, Any]:
    try:
        found = json.loads(path().read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CannotAssessError(f"{path()} can't be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _write(kept: dict[str, Any]) -> Path:
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kept, file)
    draft.replace(target)
    return target
