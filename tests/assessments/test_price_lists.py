"""Importing list prices: each provider's format, from small samples that follow its public
documentation, served by a real HTTP server, and from excerpts of what the three published."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from assessments.agents.google_machines import hourly_rate
from assessments.agents.price_book.prices import IMPORTED
from assessments.agents.price_book.reading import read_price_book
from assessments.price_lists import aws, azure, google
from assessments.price_lists.fetch import FetchError
from assessments.price_lists.rows import Row, usable

if TYPE_CHECKING:
    from pytest_django import Settings

SAMPLES = Path(__file__).parent / "fixtures" / "price_lists"
ANSWERS = {
    "/offers/v1.0/aws/AmazonEC2/current/eu-west-1/index.csv": "aws.csv",
    "/api/retail/prices": "azure.json",
    "/v1/services/6F81-5844-456A/skus": "google.json",
}


class Sampled(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = ANSWERS.get(self.path.partition("?")[0])
        self.send_response(200 if name else 403)
        self.end_headers()
        self.wfile.write((SAMPLES / name).read_bytes() if name else b"AccessDenied")

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server with the samples."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Sampled) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


@pytest.fixture
def listed(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "prices" / "list.csv"
    settings.LIST_PRICES = path
    return path


def found(rows: Iterator[Row]) -> list[tuple[str, str, str, str]]:
    return [(r.region, r.instance_type, r.component, r.price) for r in usable(rows)]


def test_aws_gives_on_demand_prices_of_shared_machines() -> None:
    with (SAMPLES / "aws.csv").open(newline="") as stream:
        rows = list(aws.parse(stream))
    assert found(iter(rows)) == [
        ("eu-west-1", "m5.large", "linux", "0.107"),
        ("eu-west-1", "m5.large", "windows", "0.199"),
    ]
    assert rows[0].source == "AWS Price List, AmazonEC2, published 2026-11-20"
    with pytest.raises(FetchError, match="no line of column names"):
        list(aws.parse(["<html>\n", "<body>\n"]))


def test_azure_gives_pay_as_you_go_prices_of_linux() -> None:
    page = json.loads((SAMPLES / "azure.json").read_text())
    assert found(azure.parse(page)) == [("westeurope", "Standard_D2s_v5", "linux", "0.115")]
    with pytest.raises(FetchError, match="no Items"):
        list(azure.parse({"error": "gone"}))


def test_google_adds_cores_and_memory_to_types() -> None:
    skus = json.loads((SAMPLES / "google.json").read_text())["skus"]
    prices = {name: price for _, name, _, price in found(google.parse(skus, region="us-central1"))}
    # n1-standard-1: 0.031611 + 3.75 x 0.004237; n1-highmem-4: 4 x (0.031611 + 6.5 x 0.004237)
    assert prices["n1-standard-1"] == "0.04749975"
    assert prices["n1-highmem-4"] == "0.236606"
    assert {name.partition("-")[0] for name in prices} == {"n1"}
    assert found(google.parse(skus, region="europe-west1")) == []  # cores without memory


def recorded(name: str) -> Any:
    return json.loads((SAMPLES / "recorded" / name).read_text())


def test_aws_real_columns_are_those_that_are_read_and_other_capacity_is_left_out() -> None:
    """Rows of AmazonEC2's file of 2025-09-12, as github.com/jtdelia/ec2-priceit quotes them:
    licensed, reserved, on a host, and with an own license."""
    with (SAMPLES / "recorded" / "aws.csv").open(newline="") as stream:
        lines = stream.readlines()
    assert list(aws.parse(lines)) == []
    (columns, *rows) = csv.reader(lines[5:])
    assert set(aws.WANTED) <= set(columns) and "MarketOption" in columns
    read = ("Instance Type", "Operating System", "PricePerUnit", "Region Code", "License Model")
    assert set(read) <= set(columns) and len(rows) == 5
    plain = dict(zip(columns, rows[0], strict=True)) | aws.WANTED | {"Operating System": "Linux"}
    for market, found in (("OnDemand", 1), ("CapacityBlock", 0)):
        row = [{**plain, "MarketOption": market}[name] for name in columns]
        quoted = ",".join(f'"{cell}"' for cell in row)
        assert len(list(aws.parse([*lines[:6], quoted]))) == found


def test_azures_real_items_give_one_price_for_a_size() -> None:
    """Items of the API as it answered in July 2026: Cloud Services at low priority, pay as you go
    with savings plans, and a reservation, whose price is that of the whole term."""
    assert found(azure.parse(recorded("azure.json"))) == [
        ("australiacentral", "Standard_B16als_v2", "linux", "0.673")
    ]


def test_googles_real_skus_give_the_prices_that_ship() -> None:
    """SKUs as github.com/opencost/opencost (Apache-2.0, pkg/cloud/gcp/test/skus.json) recorded
    them, in rupiahs with the rate to USD: other currencies are left out, so they are converted."""
    skus = recorded("google.json")["skus"]
    assert list(google.parse(skus, region="us-central1")) == []
    for sku in skus:
        for info in sku["pricingInfo"]:
            money = info["pricingExpression"]["tieredRates"][0]["unitPrice"]
            local = Decimal(money["units"]) + Decimal(money["nanos"]) / 10**9
            usd = local / Decimal(str(info["currencyConversionRate"]))
            nanos = int((usd * 10**9).to_integral_value())
            money.update(currencyCode="USD", units=str(nanos // 10**9), nanos=nanos % 10**9)
    prices = {each.instance_type: each.price for each in google.parse(skus, region="us-central1")}
    assert {name.partition("-")[0] for name in prices} == {"e2"}
    for name, price in prices.items():
        rate = hourly_rate(name, "us-central1")
        assert rate is not None and float(price) == pytest.approx(rate.listed, rel=1e-4)


def test_googles_c2_is_found_under_both_of_its_names() -> None:
    cores = recorded("google.json")["skus"][-2]
    for name in ("Compute optimized", "Compute optimized Instance"):
        skus = [
            {**cores, "description": f"{name} {part} running in Dallas"} for part in ("Core", "Ram")
        ]
        for sku in skus:
            money = sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]
            money.update(currencyCode="USD")
        assert any(
            each.instance_type == "c2-standard-4"
            for each in google.parse(skus, region="us-central1")
        )


def test_the_command_writes_a_price_book_and_keeps_other_regions(
    server: str, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = partial(call_command, "refresh_prices", verbosity=0)
    command("--azure", "westeurope", "--azure-from", server)
    command("--aws", "eu-west-1", "--aws-from", server)
    with pytest.raises(CommandError, match="needs an API key"):
        command("--google", "us-central1", "--google-from", server)
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key")
    command("--google", "us-central1", "--google-from", server)
    rows = read_price_book(listed.read_bytes(), book=IMPORTED)
    assert {(row.provider, row.region) for row in rows} == {
        ("aws", "eu-west-1"),
        ("azure", "westeurope"),
        ("gcp", "us-central1"),
    }
    assert listed.stat().st_mode & 0o777 == 0o644 and len(list(listed.parent.iterdir())) == 1


def test_without_internet_nothing_changes_and_the_reason_is_told(
    server: str, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="Name what to import"):
        call_command("refresh_prices")
    with pytest.raises(CommandError, match="is not a region's name"):
        call_command("refresh_prices", "--aws", "../etc")
    with pytest.raises(CommandError, match=r"can't be read: .*Nothing was changed"):
        call_command("refresh_prices", "--aws", "eu-west-1", "--aws-from", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match=r"answered 403 .*Nothing was changed"):
        call_command("refresh_prices", "--aws", "mars-1", "--aws-from", server)
    monkeypatch.setenv("GOOGLE_API_KEY", "a-secret-key")
    with pytest.raises(CommandError) as raised:
        call_command("refresh_prices", "--google", "us-central1", "--google-from", f"{server}/no")
    assert "a-secret-key" not in str(raised.value)
    assert not listed.exists()
