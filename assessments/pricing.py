"""Own prices: a person's price book, the server's, and list prices that ``refresh_prices`` has
imported. The cost agent gets all three; which goes before which is in
``agents.price_book.matching``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from assessments.agents.price_book.prices import IMPORTED, SERVERS, OwnPrice
from assessments.agents.price_book.reading import read_price_book
from assessments.models import Assessment, AssessmentRun, PriceBook
from assessments.quotas import QuotaError
from assessments.services import VersionDroppedError, recalculate

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from tasks_ui.models import TaskRun

SERVER_MAX_BYTES, SERVER_MAX_ROWS = 64 * 1024 * 1024, 500_000
"""The operator's files may be larger than people's."""
MAX_RECALCULATED = 20
"""Runs that one request starts; the page offers the rest again."""


def prices_of(owner_id: int) -> list[OwnPrice]:
    """The rows of all books that hold for a person's assessments. Raises PriceBookError and OSError
    where the server's files can't be read: a cost without them would be wrong and look right."""
    book = PriceBook.objects.filter(owner_id=owner_id).first()
    return [*(rows_of(book) if book else []), *server_prices(), *list_prices()]


def rows_of(book: PriceBook) -> list[OwnPrice]:
    return read_price_book(book.content.encode()) if book.content else []


def server_prices() -> list[OwnPrice]:
    path = Path(settings.PRICE_BOOK) if settings.PRICE_BOOK else None
    return _read(path, path.stat().st_mtime_ns, SERVERS) if path else []


def list_prices() -> list[OwnPrice]:
    path = Path(settings.LIST_PRICES)
    return _read(path, path.stat().st_mtime_ns, IMPORTED) if path.exists() else []


@lru_cache(maxsize=4)
def _read(path: Path, changed_ns: int, book: str) -> list[OwnPrice]:
    """Read once for each state of the file."""
    return read_price_book(
        path.read_bytes(), book=book, max_bytes=SERVER_MAX_BYTES, max_rows=SERVER_MAX_ROWS
    )


def store_price_book(owner: AbstractBaseUser, *, name: str, content: bytes) -> PriceBook:
    """Replace the person's price book. Raises PriceBookError, with nothing stored."""
    read_price_book(content)
    book, _ = PriceBook.objects.update_or_create(
        owner_id=owner.pk,
        defaults={
            "name": name[:120] or "Price book",
            "content": content.decode("utf-8-sig"),
            "changed_at": timezone.now(),
        },
    )
    return book


def delete_price_book(owner: AbstractBaseUser) -> bool:
    """Empty the person's price book; False where there was none."""
    mine = PriceBook.objects.filter(owner_id=owner.pk).exclude(content="")
    return bool(mine.update(name="", content="", changed_at=timezone.now()))


def outdated_runs(book: PriceBook) -> list[AssessmentRun]:
    """The newest run of each of the owner's assessments that is finished, began before the book's
    last change, and has its scan; the newest first."""
    newest = AssessmentRun.objects.filter(assessment=OuterRef("pk")).order_by("-number")
    assessments = Assessment.objects.filter(owner_id=book.owner_id).annotate(
        newest=Subquery(newest.values("pk")[:1])
    )
    runs = AssessmentRun.objects.filter(
        pk__in=assessments.values("newest"),
        status=AssessmentRun.Status.COMPLETED,
        created_at__lt=book.changed_at,
        scan__isnull=False,
    )
    return list(runs.select_related("assessment", "task").order_by("-id"))


def recalculate_outdated(book: PriceBook, *, by: AbstractBaseUser) -> tuple[list[TaskRun], str]:
    """Ask all agents again, on the scans that there are, of up to ``MAX_RECALCULATED`` assessments.
    Returns what was started, and why it stopped where it did."""
    started: list[TaskRun] = []
    for run in outdated_runs(book)[:MAX_RECALCULATED]:
        try:
            stated = run.assessment.stated
            started.append(recalculate(run, by=by, requirements=stated))
        except QuotaError as error:
            return started, error.message
        except VersionDroppedError:
            continue
    return started, ""
