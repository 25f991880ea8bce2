"""Reading from a provider over HTTP: bounded in time and size, and only when asked."""

from __future__ import annotations

import csv
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit

TIMEOUT_S = 60
MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_STREAM_BYTES = 4 * 1024**3
"""AWS's list of one region's EC2 prices is some hundreds of MB."""


class FetchError(Exception):
    """A price list can't be read; the message says which and why, without the query, which may hold
    a key."""


@contextmanager
def lines(url: str) -> Iterator[Iterator[str]]:
    """The lines of a text, as they arrive. Raises FetchError."""
    with _opened(url) as stream:
        yield _bounded(io.TextIOWrapper(stream, encoding="utf-8", newline=""), url)


def page(url: str) -> dict[str, Any]:
    """A JSON object. Raises FetchError."""
    with _opened(url) as stream:
        content = stream.read(MAX_PAGE_BYTES + 1)
    if len(content) > MAX_PAGE_BYTES:
        raise FetchError(f"{_shown(url)} answered with more than {MAX_PAGE_BYTES:,} bytes.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FetchError(f"{_shown(url)} did not answer with a JSON object.")
    return found


@contextmanager
def _opened(url: str) -> Iterator[IO[bytes]]:
    if urlsplit(url).scheme not in ("https", "http"):
        raise FetchError(f"{_shown(url)} is not an address on the web.")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  (checked above)
            yield answer
    except urllib.error.HTTPError as error:
        raise FetchError(f"{_shown(url)} answered {error.code} {error.reason}.") from None
    except (OSError, HTTPException, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "reason", error)
        raise FetchError(f"{_shown(url)} can't be read: {reason}.") from None


def _bounded(stream: io.TextIOWrapper, url: str) -> Iterator[str]:
    total = 0
    for line in stream:
        total += len(line)
        if total > MAX_STREAM_BYTES:
            raise FetchError(f"{_shown(url)} is larger than {MAX_STREAM_BYTES:,} bytes.")
        yield line


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
