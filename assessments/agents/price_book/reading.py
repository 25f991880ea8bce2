"""Reading a price book from CSV or JSON. The file may be hostile: sizes, rows and numbers are
bounded, and every problem names its line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from assessments.agents.price_book.prices import YOURS, OwnPrice

MAX_BYTES = 1024 * 1024
MAX_ROWS = 5_000
MAX_ALIKE = 50
"""Rows that differ in ``component`` alone."""
MAX_PROBLEMS = 20
COLUMNS = (
    "provider",
    "service",
    "resource_type",
    "instance_type",
    "region",
    "component",
    "price",
    "unit",
    "discount_percent",
    "source",
)
SPELLED = {"sku": "instance_type", "usd": "price", "discount": "discount_percent"}
"""Other names of columns."""
PROVIDERS = ("", "aws", "azure", "gcp")
MAX_PRICE = Decimal(1_000_000)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,12})?")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,120}")
_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9 -]{0,29}")
_MATCHED = ("provider", "service", "resource_type", "instance_type", "region", "component")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one line; line 0 is the file as a whole."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.words}" if self.line else self.words


class PriceBookError(Exception):
    """The file can't be taken; ``problems`` are at most ``MAX_PROBLEMS``."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems[:MAX_PROBLEMS]
        more = len(problems) - len(self.problems)
        rest = [f"and {more} more"] if more > 0 else []
        super().__init__(" ".join([*(f"{each}." for each in self.problems), *rest]))


def read_price_book(
    content: bytes, *, book: str = YOURS, max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS
) -> list[OwnPrice]:
    """The rows of a CSV file with a header, or of a JSON list of objects with the same names
    (``COLUMNS``; UTF-8). Raises PriceBookError."""
    if len(content) > max_bytes:
        raise PriceBookError([Problem(0, f"The file is larger than {max_bytes:,} bytes")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PriceBookError([Problem(0, "The file is not UTF-8 text")]) from None
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)
    return _checked(rows, book=book, max_rows=max_rows)


def _checked(
    rows: Iterator[tuple[int, dict[str, str]]], *, book: str, max_rows: int
) -> list[OwnPrice]:
    prices: list[OwnPrice] = []
    problems: list[Problem] = []
    for number, (line, row) in enumerate(rows):
        if number >= max_rows:
            problems.append(Problem(line, f"more than {max_rows:,} rows"))
            break
        wrong = list(_wrong(row))
        problems += [Problem(line, words) for words in wrong]
        if len(problems) > MAX_PROBLEMS:
            break
        if not wrong:
            prices.append(_price(row, line=line, book=book))
    problems += _repeated(prices)
    if not prices and not problems:
        problems.append(Problem(0, "The file has no rows"))
    if problems:
        raise PriceBookError(problems)
    return prices


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [_column(name) for name in next(reader, [])]
        _check_columns(names)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(names):
                words = f"{len(cells)} cells under {len(names)} columns"
                raise PriceBookError([Problem(line, words)])
            if any(cell.strip() for cell in cells):
                yield line, dict(zip(names, map(str.strip, cells), strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise PriceBookError([Problem(reader.line_num, f"not CSV ({error})")]) from None


def _check_columns(names: list[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        known = ", ".join(COLUMNS)
        words = f"the column {unknown[0][:40]!r} is unknown; the first line names these: {known}"
        raise PriceBookError([Problem(1, words)])
    if len(set(names)) < len(names):
        raise PriceBookError([Problem(1, "a column appears twice")])


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        content = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        reason = error.args[0] if error.args else "too deep"
        raise PriceBookError([Problem(0, f"The file is not JSON ({reason})")]) from None
    rows = content.get("prices") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        words = 'JSON must be a list of objects, or an object with such a list as "prices"'
        raise PriceBookError([Problem(0, words)])
    for line, row in enumerate(rows, start=1):
        yield line, _json_row(row, line)


def _json_row(row: Any, line: int) -> dict[str, str]:
    if not isinstance(row, dict):
        raise PriceBookError([Problem(line, "not an object")])
    found = {_column(str(name)): value for name, value in row.items() if value is not None}
    unknown = next((name for name in found if name not in COLUMNS), None)
    if unknown is not None:
        raise PriceBookError([Problem(line, f"the name {unknown[:40]!r} is unknown")])
    wrong = next((name for name, value in found.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise PriceBookError([Problem(line, f"{wrong} must be text or a number")])
    return {name: value.strip() for name, value in found.items()}


def _column(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_")
    return SPELLED.get(plain, plain)


def _wrong(row: dict[str, str]) -> Iterator[str]:
    for name, value in row.items():
        if not _TEXT.fullmatch(value):
            yield f"{name} must be one line of at most 120 characters"
    if row.get("provider", "").lower() not in PROVIDERS:
        yield "provider must be aws, azure or gcp, or empty"
    price, discount = row.get("price", ""), row.get("discount_percent", "")
    if bool(price) == bool(discount):
        yield "either price or discount_percent must be set"
    if price and not _is_number(price, MAX_PRICE):
        yield f"price must be a number from 0 to {MAX_PRICE:,}, such as 0.0416"
    if discount and not _is_number(discount, Decimal(100)):
        yield "discount_percent must be a number from 0 to 100, such as 12.5"
    if price and not (row.get("resource_type") or row.get("instance_type")):
        yield "a price needs a resource_type or an instance_type"
    if row.get("unit") and not _UNIT.fullmatch(row["unit"]):
        yield "unit must be a word such as hour, month or GB"


def _is_number(text: str, most: Decimal) -> bool:
    return bool(_NUMBER.fullmatch(text)) and Decimal(text) <= most


def _price(row: dict[str, str], *, line: int, book: str) -> OwnPrice:
    fields = {name: value for name, value in row.items() if value}
    for name in ("provider", "service", "region", "resource_type"):
        if name in fields:
            fields[name] = fields[name].lower()
    if "region" in fields:
        fields["region"] = fields["region"].replace(" ", "")
    return OwnPrice(book=book, line=line, **fields)


def _repeated(prices: list[OwnPrice]) -> Iterator[Problem]:
    """Two rows about the same: which of them holds can't be known."""
    seen: dict[tuple[str, ...], int] = {}
    alike: dict[tuple[str, ...], int] = {}
    for each in prices:
        kind = "price" if each.price else "discount"
        key = (kind, *(getattr(each, name).lower() for name in _MATCHED))
        if key in seen:
            yield Problem(each.line, f"it matches the same resources as line {seen[key]}")
        seen[key] = each.line
        alike[key[:-1]] = alike.get(key[:-1], 0) + 1
        if alike[key[:-1]] == MAX_ALIKE + 1:
            yield Problem(each.line, f"more than {MAX_ALIKE} rows differ in component alone")
