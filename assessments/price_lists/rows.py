"""Rows of an imported price list, and the file that holds them, in the price book's format."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

from assessments.agents.price_book.prices import IMPORTED, OwnPrice
from assessments.agents.price_book.reading import read_price_book

MAX_BYTES, MAX_ROWS = 64 * 1024 * 1024, 500_000
"""Of the file that is written."""
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,12})?")


@dataclass(frozen=True, slots=True)
class Row:
    """``price`` is USD an hour, as a decimal text."""

    provider: str
    instance_type: str
    region: str
    component: str
    price: str
    source: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.provider, self.region, self.instance_type.lower(), self.component)


def plain_decimal(value: object) -> str:
    """A number without an exponent, to 12 decimals; empty for what is none."""
    try:
        found = round(Decimal(str(value)), 12)
    except (InvalidOperation, ValueError):
        return ""
    return f"{found.normalize():f}" if found.is_finite() else ""


def usable(rows: Iterable[Row]) -> list[Row]:
    """Rows with a price above nothing, the lowest where several are about the same, sorted."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        price = plain_decimal(row.price)
        if not _NUMBER.fullmatch(price) or not Decimal(price):
            continue
        kept = found.get(row.key)
        if kept is None or Decimal(price) < Decimal(kept.price):
            found[row.key] = Row(**{**asdict(row), "price": price})
    return [found[key] for key in sorted(found)]


def merged(path: Path, rows: list[Row]) -> list[Row]:
    """``rows``, and those of the file about other regions."""
    new = {(row.provider, row.region) for row in rows}
    kept = [
        Row(**{field.name: getattr(each, field.name) for field in fields(Row)})
        for each in _held(path)
        if (each.provider, each.region) not in new
    ]
    return sorted([*kept, *rows], key=lambda row: row.key)


def write(path: Path, rows: list[Row]) -> None:
    """Replace the file at once, after reading what is to be written as the cost agent will. Raises
    PriceBookError, with the old file in place."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    content = text.getvalue().encode()
    read_price_book(content, book=IMPORTED, max_bytes=MAX_BYTES, max_rows=MAX_ROWS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary = Path(stream.name)
    temporary.chmod(0o644)
    temporary.replace(path)


def _held(path: Path) -> list[OwnPrice]:
    if not path.exists():
        return []
    return read_price_book(path.read_bytes(), book=IMPORTED, max_bytes=MAX_BYTES, max_rows=MAX_ROWS)
