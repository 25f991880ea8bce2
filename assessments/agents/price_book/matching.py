"""Which row of the price books holds for a component.

An own price goes before the list price, and the person's book before the server's, which goes
before imported list prices. Within a book the row that names most holds; of rows that name equally
much, the one with an instance type, then a component, a resource type, a service, a region.
Discounts are taken off list prices alone, the bundled or the imported ones: an own price is what is
paid. One discount holds, they don't add up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from assessments.agents.price_book.prices import BOOKS, IMPORTED, OwnPrice

SPECIAL = frozenset({"spot", "dedicated", "host", "reserved"})
"""Ways to buy that a price without these words says nothing about."""
SERVICES = (
    ("aws_instance", "ec2"),
    ("aws_launch_", "ec2"),
    ("aws_autoscaling_group", "ec2"),
    ("aws_spot_", "ec2"),
    ("aws_eks_node_group", "ec2"),
    ("aws_db_", "rds"),
    ("aws_rds_", "rds"),
    ("aws_alb", "elb"),
    ("aws_lb", "elb"),
    ("aws_nat_gateway", "vpc"),
    ("aws_eip", "vpc"),
    ("azurerm_linux_virtual_machine", "virtual_machines"),
    ("azurerm_windows_virtual_machine", "virtual_machines"),
    ("azurerm_virtual_machine", "virtual_machines"),
    ("azurerm_orchestrated_virtual_machine", "virtual_machines"),
    ("azurerm_managed_disk", "disks"),
    ("azurerm_kubernetes_", "aks"),
    ("google_container_", "gke"),
)
"""The service of a resource type, by the beginning of the type; else the word after the
provider's."""
PARTS = {
    ("aws", "ec2"): (("storage", "ebs"), ("iops", "ebs"), ("throughput", "ebs"), ("ipv4", "vpc")),
    ("aws", "elb"): (("ipv4", "vpc"),),
    ("azure", "virtual_machines"): (("disk", "disks"),),
    ("azure", "aks"): (("disk", "disks"),),
}
"""Components that belong to another service than the rest of the resource, by a word of theirs."""
PROVIDERS = {"aws": "aws", "azurerm": "azure", "google": "gcp"}
_FIELDS = ("instance_type", "component", "resource_type", "service", "region", "provider")
_WORDS = re.compile(r"[\w.+-]+")

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row may be about. ``component`` is in the agent's words."""

    provider: str
    service: str
    resource_type: str
    region: str
    component: str


@dataclass(frozen=True, slots=True)
class Match:
    """The rows that hold: an own price, a newer list price, and what is taken off a list price."""

    price: OwnPrice | None
    listed: OwnPrice | None
    discount: OwnPrice | None


class PriceBook:
    """The rows of all books, found by what they name."""

    def __init__(self, prices: Sequence[OwnPrice]) -> None:
        self._rows: dict[Key, list[OwnPrice]] = defaultdict(list)
        self._found: dict[Subject, Match] = {}
        for each in prices:
            self._rows[_key(each)].append(each)
        self.own = [each for each in prices if each.book != IMPORTED]

    def __bool__(self) -> bool:
        return bool(self._rows)

    def match(self, subject: Subject) -> Match:
        if subject not in self._found:
            self._found[subject] = self._matched(subject)
        return self._found[subject]

    def whole(self, subject: Subject) -> OwnPrice | None:
        """The own price of a resource as a whole: a row with neither instance type nor
        component."""
        rows = [
            each
            for each in self._candidates(subject, [""])
            if each.price and not each.component and each.book != IMPORTED
        ]
        return _best(rows)

    def _matched(self, subject: Subject) -> Match:
        words = {each.lower() for each in _WORDS.findall(subject.component)}
        rows = [
            each for each in self._candidates(subject, ["", *sorted(words)]) if _fits(each, words)
        ]
        special = words & SPECIAL
        prices = [
            each
            for each in rows
            if each.price
            and (each.instance_type or each.component)
            and special <= {word.lower() for word in _WORDS.findall(each.component)}
        ]
        return Match(
            price=_best(each for each in prices if each.book != IMPORTED),
            listed=_best(each for each in prices if each.book == IMPORTED),
            discount=_best(each for each in rows if each.discount_percent),
        )

    def _candidates(self, subject: Subject, kinds: Iterable[str]) -> Iterator[OwnPrice]:
        for key in product(
            dict.fromkeys(kinds),
            dict.fromkeys((subject.resource_type, "")),
            dict.fromkeys((subject.region, "")),
            dict.fromkeys((subject.service, "")),
            dict.fromkeys((subject.provider, "")),
        ):
            yield from self._rows.get(key, ())


def provider_and_service(resource_type: str, component: str) -> tuple[str, str]:
    """``aws_db_instance`` -> ``aws``, ``rds``; an instance's disks are ``ebs``. CloudFormation's
    types are given in Terraform's words by ``inventory.resource_type``."""
    head, _, rest = resource_type.partition("_")
    named = (service for start, service in SERVICES if resource_type.startswith(start))
    provider, service = PROVIDERS.get(head, ""), next(named, rest.partition("_")[0])
    words = {each.lower() for each in _WORDS.findall(component)}
    parts = (other for word, other in PARTS.get((provider, service), ()) if word in words)
    return provider, next(parts, service)


def _key(row: OwnPrice) -> Key:
    return (row.instance_type.lower(), row.resource_type, row.region, row.service, row.provider)


def _fits(row: OwnPrice, words: set[str]) -> bool:
    return {each.lower() for each in _WORDS.findall(row.component)} <= words


def _best(rows: Iterable[OwnPrice]) -> OwnPrice | None:
    def rank(row: OwnPrice) -> tuple[object, ...]:
        named = [bool(getattr(row, name)) for name in _FIELDS]
        return (BOOKS.index(row.book), -sum(named), [not each for each in named], row.line)

    return min(rows, key=rank, default=None)
