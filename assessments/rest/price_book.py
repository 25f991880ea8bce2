"""The REST API v1 of a person's price book."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from assessments.agents.price_book.reading import MAX_BYTES, PriceBookError
from assessments.models import PriceBook
from assessments.pricing import delete_price_book, rows_of, store_price_book
from tasks_ui.access.auth import caller
from tasks_ui.protocol import FieldError
from tasks_ui.rest.api import api
from tasks_ui.rest.problems import problem

router = Router()


class PriceBookIn(BaseModel):
    """``content`` is CSV with a header, or a JSON list of objects with the same names, as text:
    see docs/prices.md."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("Price book", min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")
    content: str = Field(min_length=1, max_length=MAX_BYTES)


class PriceRow(BaseModel):
    """``price`` is USD per ``unit``, ``discount_percent`` is taken off the list price; both are
    strings, so that nothing is rounded. Empty fields match everything."""

    line: int
    provider: str
    service: str
    resource_type: str
    instance_type: str
    region: str
    component: str
    price: str
    unit: str
    discount_percent: str
    source: str


class PriceBookOut(BaseModel):
    """``rows`` is empty, and ``changed_at`` null, if there never was a price book."""

    name: str
    changed_at: datetime | None
    rows: list[PriceRow]

    @classmethod
    def of(cls, book: PriceBook | None) -> PriceBookOut:
        if book is None:
            return cls(name="", changed_at=None, rows=[])
        rows = [
            PriceRow(**{name: getattr(each, name) for name in PriceRow.model_fields})
            for each in rows_of(book)
        ]
        return cls(name=book.name, changed_at=book.changed_at, rows=rows)


@api.exception_handler(PriceBookError)
def refused_book(request: HttpRequest, error: PriceBookError) -> HttpResponse:
    errors = [FieldError(path="body.content", message=str(each)) for each in error.problems]
    return problem(422, "The price book can't be used.", errors=errors)


@router.get("/", response=PriceBookOut, operation_id="get_price_book")
def read(request: HttpRequest) -> Any:
    """The caller's own prices and discounts."""
    return PriceBookOut.of(PriceBook.objects.visible_to(request.user).first())


@router.put("/", response=PriceBookOut, operation_id="replace_price_book")
def replace(request: HttpRequest, wanted: PriceBookIn) -> Any:
    """Replace it. It applies from the next run on, to all assessments of the caller."""
    book = store_price_book(caller(request), name=wanted.name, content=wanted.content.encode())
    return PriceBookOut.of(book)


@router.delete("/", response={204: None}, operation_id="delete_price_book")
def remove(request: HttpRequest) -> Any:
    """Delete it, if there is one."""
    delete_price_book(caller(request))
    return Status(204, None)
