"""What ``manage.py check`` says of the operator's files before anything rests on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error

from assessments.agents.price_book.reading import PriceBookError


def check_price_files(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """``PRICE_BOOK`` and the imported list prices can be read."""
    from assessments.pricing import list_prices, server_prices

    return [
        *_read("PRICE_BOOK", server_prices, "assessments.E001"),
        *_read("The imported list prices", list_prices, "assessments.E002"),
    ]


def _read(name: str, read: Callable[[], object], check_id: str) -> list[CheckMessage]:
    try:
        read()
    except OSError as error:
        words = f"{name} can't be read: {error}."
    except PriceBookError as error:
        words = f"{name} can't be used. {error}"
    else:
        return []
    return [Error(words, hint="docs/prices.md describes the format.", id=check_id)]
