"""RDS and Aurora: classes by engine, edition and license; storage; extended support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import first, number, text
from assessments.agents.cost.price_list import HOURS, Entry, Line, Price, Unpriced, fact, priced
from assessments.agents.cost.references import referred
from assessments.agents.cost.support import database_support
from assessments.agents.inventory import Database, attributes_of

if TYPE_CHECKING:
    from assessments.scan.types import Resource

ENGINES = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgres": "postgres",
    "postgresql": "postgres",
}
"""MariaDB's prices are MySQL's (Amazon RDS pricing page)."""
BIG_GP3_GB = {"mysql": 400, "mariadb": 400, "postgres": 400, "oracle": 200}
"""From this size on, gp3 includes 12,000 IOPS and 500 MB/s, below it 3,000 and 125; for SQL Server
always the latter (Amazon RDS User Guide, "gp3 storage")."""
SOURCES = ("replicate_source_db", "source_db_instance_identifier")


def database_entries(
    database: Database, region: str, resources: Mapping[str, Resource]
) -> Iterator[Entry]:
    declared = declared_of(database.resource, resources)
    engine = engine_of(declared)
    if database.service == "aurora":
        yield from _aurora_cluster(database, declared)
        return
    yield from _instance(database, engine, declared, region)
    if database.service == "rds" and engine and not engine.startswith("aurora"):
        yield from _storage(database, engine, declared, region)
        copies = 2 if database.multi_zone else 1
        yield from database_support(
            database.resource, engine, database.instance_class, declared, copies, region
        )


def declared_of(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, Any]:
    """The database's own attributes; a replica inherits what it doesn't declare from its source."""
    own = attributes_of(resource)
    named = next((each for at in SOURCES if (each := referred(resource, at, resources))), None)
    if named is None or named.address == resource.address:
        return own
    keys = ("engine", "engine_version", "allocated_storage", "storage_type", "license_model")
    source = attributes_of(named)
    return {**{key: source[key] for key in keys if key in source}, **own}


def engine_of(declared: Mapping[str, Any]) -> str | None:
    """The engine's name as AWS spells it, whatever its case."""
    name = text(declared.get("engine"))
    return name.strip().lower() if name else None


def database_price(
    database: Database,
    instance_class: str | None,
    region: str,
    resources: Mapping[str, Resource],
) -> Price | None:
    """USD an hour of an RDS class for the database's engine, license and shape; None if it is
    not in the table."""
    declared = declared_of(database.resource, resources)
    found = _price_key(database, engine_of(declared), instance_class, declared)
    return fact(found, region) if found else None


def _price_key(
    database: Database,
    engine: str | None,
    instance_class: str | None,
    declared: Mapping[str, Any],
) -> str | None:
    if database.service != "rds" or not engine or not instance_class:
        return None
    if engine.startswith("aurora"):
        return f"rds.aurora.{instance_class}"
    if database.multi_zone is None:
        return None
    shape = "multi" if database.multi_zone else "single"
    if engine in ENGINES:
        return f"rds.{ENGINES[engine]}.{shape}.{instance_class}"
    license_model = _license(engine, declared)
    return f"rds.{engine}.{license_model}.{shape}.{instance_class}" if license_model else None


def _license(engine: str, declared: Mapping[str, Any]) -> str | None:
    """SQL Server comes with its license and Oracle EE without; Oracle SE is sold both ways."""
    if engine.startswith("sqlserver"):
        return "license-included"
    if engine.startswith("oracle-ee"):
        return "bring-your-own-license"
    named = text(declared.get("license_model"))
    return named.lower() if named else None


def _instance(
    database: Database, engine: str | None, declared: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    label = database.instance_class or database.service
    key = _price_key(database, engine, database.instance_class, declared)
    price = fact(key, region) if key else None
    if price is None:
        why = _why(database, engine, declared, region)
        yield Unpriced(database.resource, f"{label} instance", why, HOURS, "hours")
        return
    aurora = engine is not None and engine.startswith("aurora")
    shape = "Aurora" if aurora else "multi-AZ" if database.multi_zone else "single-AZ"
    yield Line(database.resource, f"{label} {shape}", HOURS, "hours", price)


def _why(database: Database, engine: str | None, declared: Mapping[str, Any], region: str) -> str:
    if database.service != "rds":
        return f"no known price for {database.service}"
    if engine is None:
        return "its engine can't be determined from the code: declare engine"
    if database.instance_class is None:
        return "its class can't be determined from the code: declare instance_class"
    if database.multi_zone is None:
        return "whether it has a standby in a second zone can't be determined from the code"
    if engine.startswith("oracle") and _license(engine, declared) is None:
        return f"{engine} is sold with and without a license: declare license_model"
    shape = "multi-AZ" if database.multi_zone else "single-AZ"
    return f"no known price for {database.instance_class}, {engine}, {shape}, in {region}"


def _storage(
    database: Database, engine: str, declared: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    resource = database.resource
    size = number(declared.get("allocated_storage"))
    if size is None:
        yield Unpriced(resource, "storage", "allocated_storage is not declared")
        return
    if database.multi_zone is None:
        yield Unpriced(resource, "storage", "it doubles with a standby, which can't be determined")
        return
    copies = 2 if database.multi_zone else 1
    usual = "io1" if declared.get("iops") else "gp2"
    kind = text(declared.get("storage_type", usual))
    if kind is None:
        yield Unpriced(resource, "storage", "its type can't be determined: declare storage_type")
        return
    kind = kind.lower()
    amount = Decimal(str(size)) * copies
    yield priced(resource, f"{kind} storage", amount, "GB", f"rds.storage.{kind}", region)
    yield from _performance(resource, engine, kind, size, declared, copies, region)


def _performance(
    resource: Resource,
    engine: str,
    kind: str,
    size: float,
    declared: Mapping[str, Any],
    copies: int,
    region: str,
) -> Iterator[Entry]:
    iops = number(declared.get("iops")) or 0
    if kind in ("io1", "io2"):
        if not iops:
            yield Unpriced(resource, f"{kind} IOPS", "iops is not declared")
            return
        amount = Decimal(str(iops)) * copies
        key = f"rds.storage.{kind}.iops"
        yield priced(resource, f"{kind} IOPS", amount, "IOPS", key, region)
    if kind == "standard":
        yield Unpriced(resource, "I/O requests", "needs the requests a month")
    if kind == "gp3":
        big = size >= BIG_GP3_GB.get(engine.partition("-")[0], float("inf"))
        above = Decimal(str(iops)) - (12_000 if big else 3_000)
        if above > 0:
            key = "rds.storage.gp3.iops"
            yield priced(resource, "gp3 IOPS", above * copies, "IOPS", key, region)
        if (number(declared.get("storage_throughput")) or 0) > (500 if big else 125):
            why = "no known price for throughput above what gp3 includes"
            yield Unpriced(resource, "gp3 throughput", why)


def _aurora_cluster(database: Database, declared: Mapping[str, Any]) -> Iterator[Entry]:
    """A cluster bills storage and requests; its instances are separate resources. With a class of
    its own it is a Multi-AZ cluster of RDS."""
    kind = text(declared.get("db_cluster_instance_class"))
    if kind:
        why = "no known price for Multi-AZ DB clusters; needs AWS's price for the class"
        yield Unpriced(database.resource, f"3 {kind} instances", why)
    why = "billed by data stored and requests; needs the GB and the millions of requests a month"
    yield Unpriced(database.resource, "storage and I/O", why)


def aurora_instance_entries(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    """One instance of an Aurora cluster; MySQL and PostgreSQL cost the same."""
    kind = text(first(attributes, "instance_class", "db_instance_class", default=None))
    cluster = referred(resource, "cluster_identifier", resources)
    shape = attributes_of(cluster) if cluster else {}
    if kind is None:
        why = "its class can't be determined from the code: declare instance_class"
        yield Unpriced(resource, "Aurora instance", why)
    elif kind == "db.serverless":
        why = "billed by capacity units; needs the ACU hours a month"
        yield Unpriced(resource, "serverless capacity", why)
    elif text(shape.get("storage_type")) == "aurora-iopt1":
        why = "no known price for I/O-Optimized; needs AWS's price for the class"
        yield Unpriced(resource, f"{kind} Aurora I/O-Optimized", why)
    else:
        yield priced(resource, f"{kind} Aurora", HOURS, "hours", f"rds.aurora.{kind}", region)
