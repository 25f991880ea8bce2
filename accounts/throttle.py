"""Limits sign-in attempts, counted before a password is hashed.

Attempts are counted for five minutes from the first one: per account and address, per address, and
per account. A successful attempt is subtracted again. The first limit stops guessing, the second
trying one password on many accounts, the third many machines attacking one account. The third is
high, as otherwise a stranger could lock an owner out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address

from django.core.cache import cache

WINDOW_S = 300
PER_ACCOUNT_AND_ADDRESS = 10
PER_ADDRESS = 60
PER_ACCOUNT = 200


class TooManyAttemptsError(Exception):
    """No password is checked for up to ``retry_after_s`` seconds; ``is_first``: this attempt
    exceeded the limit."""

    retry_after_s = WINDOW_S

    def __init__(self, *, is_first: bool) -> None:
        super().__init__("Too many sign-in attempts.")
        self.is_first = is_first


@dataclass(frozen=True)
class Attempt:
    keys: tuple[str, ...]

    def forgive(self) -> None:
        """The attempt succeeded: don't count it."""
        for key in self.keys:
            _add(key, -1)


def begin(*, account: str, address: str | None) -> Attempt:
    """Count an attempt to sign in to ``account``. Raises TooManyAttemptsError."""
    limits = _limits(_plain(account), _network(address))
    over = [_add(key, 1) - most for key, most in limits.items()]
    if max(over) > 0:
        raise TooManyAttemptsError(is_first=max(over) == 1)
    return Attempt(tuple(limits))


def _limits(account: str, network: str | None) -> dict[str, int]:
    limits = {_key("account", account): PER_ACCOUNT}
    if network:
        limits[_key("address", network)] = PER_ADDRESS
        limits[_key("both", network, account)] = PER_ACCOUNT_AND_ADDRESS
    return limits


def _plain(account: str) -> str:
    return unicodedata.normalize("NFKC", account.strip()).casefold()


def _network(address: str | None) -> str | None:
    """One customer has a whole /64 of IPv6."""
    if address and ip_address(address).version == 6:
        return str(IPv6Network(f"{address}/64", strict=False))
    return address


def _key(*parts: str) -> str:
    return f"sign_in.{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def _add(key: str, step: int) -> int:
    """The new count. It expires WINDOW_S after the first attempt, whatever follows."""
    cache.add(key, 0, WINDOW_S)
    try:
        return cache.incr(key, step)
    except ValueError:  # it ended, or Valkey went away, in between
        cache.set(key, max(step, 0), WINDOW_S)
        return max(step, 0)
