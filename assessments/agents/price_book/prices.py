"""One row of a price book: what it is about, and a price or a discount."""

from __future__ import annotations

from assessments.scan.types import Message

YOURS, SERVERS, IMPORTED = "your price book", "the server's price book", "imported list prices"
BOOKS = (YOURS, SERVERS, IMPORTED)
"""Whose rows they are; the first goes before the others."""


class OwnPrice(Message, frozen=True, kw_only=True, omit_defaults=True):
    """``line`` is the row's line in its file, the header being line 1, or its place in a JSON list.

    What is empty matches everything. ``instance_type`` is any word of a component that names its
    size or kind (``m5.large``, ``Standard_D4s_v5``, ``gp3``); ``component`` are further words of it
    (``windows``). ``price`` is USD for one ``unit`` (hour, month, GB); ``discount_percent`` is
    taken off the list price. One of the two is set. Both are decimal texts, so that nothing
    is rounded.
    """

    book: str = YOURS
    line: int
    provider: str = ""
    service: str = ""
    resource_type: str = ""
    instance_type: str = ""
    region: str = ""
    component: str = ""
    price: str = ""
    unit: str = "hour"
    discount_percent: str = ""
    source: str = ""

    @property
    def cited(self) -> str:
        where = f"{self.book}, line {self.line}"
        return f"{where} ({self.source})" if self.source else where

    @property
    def about(self) -> str:
        """What it is about, in words."""
        fields = (
            self.provider,
            self.service,
            self.resource_type,
            self.instance_type,
            self.component,
            self.region,
        )
        return " ".join(each for each in fields if each) or "everything"

    @property
    def says(self) -> str:
        if self.price:
            return f"{self.price} USD {'an' if self.unit.lower() == 'hour' else 'a'} {self.unit}"
        return f"{self.discount_percent} % off"
