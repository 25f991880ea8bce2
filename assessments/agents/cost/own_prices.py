"""Applies the price books to the components that the cost agent found: own prices, imported list
prices, discounts. Each figure cites the row that it is based on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.price_list import HOURS, ONE, Entry, Line, Price, Unpriced, cents
from assessments.agents.inventory import resource_type
from assessments.agents.price_book.matching import Match, PriceBook, Subject, provider_and_service
from assessments.agents.price_book.prices import OwnPrice
from assessments.agents.types import AgentResult, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from assessments.agents.cost.savings import Saving
    from assessments.scan.types import Resource

HUNDRED = Decimal(100)
MAX_SHOWN = 200
"""Rows of the books listed in an answer."""


@dataclass
class Books:
    """The books of one answer, and how often each of their rows was used."""

    book: PriceBook
    region: Callable[[Resource], str]
    used: Counter[OwnPrice]
    priced: set[str]

    @classmethod
    def of(cls, prices: Sequence[OwnPrice], *, region: Callable[[Resource], str]) -> Books:
        return cls(_book(prices), region, Counter(), set())

    def applied(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """``entries`` at the books' prices. The price of a whole resource replaces all of its
        components."""
        for entry in entries:
            if not self.book:
                yield entry
                continue
            subject = self._subject(entry.resource, entry.component)
            whole = self.book.whole(self._subject(entry.resource, ""))
            if whole is None:
                yield self._priced(entry, self.book.match(subject))
            elif entry.resource.address not in self.priced:
                yield self._whole(entry, whole)

    def egress(self, price: Price | None, region: str) -> Price | None:
        """AWS's traffic to the internet after the discount on ``egress``, or on all of AWS."""
        if price is None or not self.book:
            return price
        subject = Subject("aws", "egress", "", region, "egress")
        return self._discounted(price, self.book.match(subject).discount)

    def savings(self, savings: Iterable[Saving]) -> Iterator[Saving]:
        """After discounts. Anything with an own price is left out: the cost of its replacement at
        own prices isn't known."""
        for saving in savings:
            disk = " storage" if saving.rule == "im-cost-gp3" else ""
            subject = self._subject(saving.resource, f"{saving.part} {saving.actual}{disk}")
            if not self.book:
                yield saving
            elif saving.resource.address not in self.priced:
                yield _less(saving, self.book.match(subject).discount)

    def explained(self, result: AgentResult) -> AgentResult:
        """The answer with a table of the own rows and how many components each was used for."""
        if not self.book.own:
            return result
        ranked = sorted(self.book.own, key=lambda each: (-self.used[each], each.book, each.line))
        rows = [
            [each.book, each.line, each.about, each.says, self.used[each]]
            for each in ranked[:MAX_SHOWN]
        ]
        more = len(ranked) - len(rows)
        table = Table(
            key="price_book",
            title="Price book",
            columns=["book", "line", "about", "price or discount", "components"],
            units=["", "", "", "", ""],
            rows=rows,
            source=(
                "rows of the price books and the components that each was used for"
                + (f"; {more} more rows are not listed" if more else "")
            ),
        )
        return result.replace(tables=[*result.tables, table])

    def _subject(self, resource: Resource, component: str) -> Subject:
        kind = resource_type(resource)
        provider, service = provider_and_service(kind, component)
        region = self.region(resource).lower().replace(" ", "")
        return Subject(provider, service, kind, region, component)

    def _whole(self, entry: Entry, row: OwnPrice) -> Entry:
        usd = _in_unit(Decimal(row.price), row.unit, "month")
        if usd is None:
            return entry
        self.priced.add(entry.resource.address)
        self.used[row] += 1
        return Line(entry.resource, "whole resource", ONE, "months", Price(usd, row.cited))

    def _priced(self, entry: Entry, match: Match) -> Entry:
        if match.price is not None and (line := _at(entry, match.price)):
            self.priced.add(entry.resource.address)
            self.used[match.price] += 1
            return line
        listed = _at(entry, match.listed) if match.listed is not None else None
        entry = listed or entry
        if isinstance(entry, Unpriced):
            return entry
        return replace(entry, price=self._discounted(entry.price, match.discount))

    def _discounted(self, price: Price, row: OwnPrice | None) -> Price:
        if row is None:
            return price
        self.used[row] += 1
        return replace(
            price,
            usd=price.usd * (HUNDRED - Decimal(row.discount_percent)) / HUNDRED,
            source=f"{price.source}; {row.discount_percent} % off: {row.cited}",
        )


def _book(prices: Sequence[OwnPrice]) -> PriceBook:
    """The index of ``prices``, built once for all scopes of a run."""
    if not _last or _last[0][0] is not prices:
        _last[:] = [(prices, PriceBook(prices))]
    return _last[0][1]


_last: list[tuple[Sequence[OwnPrice], PriceBook]] = []


def _at(entry: Entry, row: OwnPrice) -> Line | None:
    """The component at the row's price; None if the row's unit is not the component's, or the
    quantity isn't known."""
    price = Decimal(row.price)
    if isinstance(entry, Line) or entry.quantity is not None:
        unit, quantity = entry.unit, entry.quantity
        usd = _in_unit(price, row.unit, unit)
        if usd is None or quantity is None:
            return None
        return Line(entry.resource, entry.component, quantity, unit, Price(usd, row.cited))
    monthly = _in_unit(price, row.unit, "month") if row.component else None
    if monthly is None:
        return None
    return Line(entry.resource, entry.component, ONE, "months", Price(monthly, row.cited))


def _in_unit(price: Decimal, unit: str, wanted: str) -> Decimal | None:
    """USD for one ``wanted``, from USD for one ``unit``: a month has 730 hours."""
    given, asked = _plain(unit), _plain(wanted)
    if given == asked:
        return price
    if (given, asked) == ("hour", "month"):
        return price * HOURS
    if (given, asked) == ("month", "hour"):
        return price / HOURS
    return None


def _plain(unit: str) -> str:
    """``hours`` -> ``hour``, ``GB-month`` -> ``gb``."""
    return unit.strip().lower().removesuffix("-month").removesuffix("s")


def _less(saving: Saving, row: OwnPrice | None) -> Saving:
    if row is None:
        return saving
    left = (HUNDRED - Decimal(row.discount_percent)) / HUNDRED
    why = f"{saving.why} After {row.discount_percent} % off both: {row.cited}."
    return replace(saving, monthly_usd=cents(saving.monthly_usd * left), why=why)
