"""``manage.py refresh_prices``: import the providers' public price lists, where this machine has
internet access."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assessments.agents.price_book.reading import PriceBookError
from assessments.price_lists import aws, azure, google
from assessments.price_lists.fetch import FetchError
from assessments.price_lists.rows import Row, merged, usable, write

REGION = re.compile(r"[a-z0-9-]{2,40}")


class Command(BaseCommand):
    help = (
        "Import current list prices of machines for the regions that you name: from the AWS Price"
        " List, the Azure Retail Prices API and Google's Cloud Billing Catalog (which needs an API"
        " key in GOOGLE_API_KEY). Nothing is downloaded for a region that isn't named. Prices of"
        " other regions that were imported earlier stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--aws", nargs="+", default=[], metavar="REGION")
        parser.add_argument("--azure", nargs="+", default=[], metavar="REGION")
        parser.add_argument("--google", nargs="+", default=[], metavar="REGION")
        parser.add_argument("--aws-from", default=aws.BASE, metavar="URL", help="A mirror")
        parser.add_argument("--azure-from", default=azure.BASE, metavar="URL", help="A mirror")
        parser.add_argument("--google-from", default=google.BASE, metavar="URL", help="A mirror")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [*options["aws"], *options["azure"], *options["google"]]
        if not wanted:
            raise CommandError("Name what to import, such as --aws eu-west-1 --azure westeurope.")
        if wrong := next((each for each in wanted if not REGION.fullmatch(each)), None):
            raise CommandError(f"{wrong!r} is not a region's name.")
        path = Path(settings.LIST_PRICES)
        try:
            rows = [
                row for name, found in self._fetched(options) for row in self._told(name, found)
            ]
            write(path, merged(path, usable(rows)))
        except FetchError as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        except PriceBookError as error:
            raise CommandError(f"The prices can't be used. {error} Nothing was changed.") from None
        self.stdout.write(f"{path} applies from the next run on.")

    def _told(self, name: str, found: Iterator[Row]) -> list[Row]:
        self.stdout.write(f"{name} ...", ending=" ")
        self.stdout.flush()
        rows = usable(found)
        self.stdout.write(f"{len(rows):,} prices")
        if not rows:
            raise FetchError(f"{name} has no prices: is the region's name right?")
        return rows

    def _fetched(self, options: dict[str, Any]) -> Iterator[tuple[str, Iterator[Row]]]:
        for region in options["aws"]:
            yield f"AWS {region}", aws.fetch(region, base=options["aws_from"])
        for region in options["azure"]:
            yield f"Azure {region}", azure.fetch(region, base=options["azure_from"])
        if options["google"] and not os.environ.get("GOOGLE_API_KEY"):
            raise CommandError("Google's price list needs an API key in GOOGLE_API_KEY.")
        for region in options["google"]:
            key = os.environ["GOOGLE_API_KEY"]
            yield f"Google {region}", google.fetch(region, key=key, base=options["google_from"])
