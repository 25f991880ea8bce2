"""Own prices and discounts applied to the cost agent's answer, and reading hostile price books."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assessments.agents.cost import agent
from assessments.agents.price_book.prices import IMPORTED, SERVERS, YOURS
from assessments.agents.price_book.reading import MAX_BYTES, PriceBookError, read_price_book
from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Requirements
from tests.assessments.test_cost import declared, figure, rows

WEB = declared("aws_instance", "web", instance_type="m5.large")
VOLUME = declared("aws_ebs_volume", "data", type="gp3", size=100)
MACHINE = "m5.large instances, Linux assumed"
BUS = declared("aws_msk_cluster", "bus")


def assess(*resources: Any, books: dict[str, str], **wanted: Any) -> AgentResult:
    prices = [
        row for book, text in books.items() for row in read_price_book(text.encode(), book=book)
    ]
    data = AgentInput(
        resources=list(resources),
        requirements=Requirements(**{"regions": ["us-east-1"], **wanted}),
        prices=prices,
    )
    return agent.run(data, lambda done, total, message: None)


def priced(result: AgentResult) -> dict[tuple[str, str], tuple[float, str]]:
    return {(row[0], row[1]): (row[5], row[6]) for row in rows(result, "cost")}


def problems(text: str | bytes) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(PriceBookError) as raised:
        read_price_book(content)
    return [str(each) for each in raised.value.problems]


def test_an_own_price_takes_the_place_of_the_list_price_and_is_cited_with_its_line() -> None:
    book = "instance_type,region,price,unit\nm5.large,us-east-1,0.05,hour\ngp3,,0.07,GB-month\n"
    found = priced(assess(WEB, VOLUME, books={YOURS: book}))
    # 0.05 x 730 h; 0.07 x 100 GB
    assert found["aws_instance.web", MACHINE] == (
        36.5,
        "your price book, line 2",
    )
    assert found["aws_ebs_volume.data", "volume gp3 storage"] == (7.0, "your price book, line 3")
    elsewhere = priced(assess(WEB, books={YOURS: book}, regions=["eu-west-1"]))
    assert not elsewhere["aws_instance.web", MACHINE][1].startswith("your")


def test_a_discount_is_taken_off_the_list_price_and_cited() -> None:
    list_price = priced(assess(WEB, books={}))
    book = "provider,service,discount_percent\naws,ec2,25\naws,,10\n"
    name = ("aws_instance.web", MACHINE)
    usd, source = priced(assess(WEB, books={YOURS: book}))[name]
    assert list_price[name][0] == 70.08 and usd == 52.56  # 0.096 x 0.75 x 730
    assert source.endswith("; 25 % off: your price book, line 2")
    assert source.startswith(list_price[name][1])


def test_an_instances_disks_and_addresses_are_of_their_own_services() -> None:
    web = declared(
        "aws_instance",
        "web",
        instance_type="m5.large",
        associate_public_ip_address=True,
        root_block_device=[{"volume_type": "gp3", "volume_size": 100}],
    )
    book = "provider,service,discount_percent\naws,ec2,10\naws,ebs,50\n"
    cited = {
        name: source[-22:]
        for (_, name), (_, source) in priced(assess(web, books={YOURS: book})).items()
    }
    assert cited[MACHINE] == "your price book, line 2"[-22:]
    assert cited["root_block_device[0] gp3 storage"] == "your price book, line 3"[-22:]
    assert "price book" not in cited["public IPv4 address"]


def test_a_price_of_a_resource_type_is_the_price_of_the_whole_resource() -> None:
    alone = assess(WEB, BUS, books={})
    assert "aws_msk_cluster.bus" in {row[0] for row in rows(alone, "unpriced")}
    book = "resource_type,price,unit\naws_msk_cluster,300,month\naws_instance,0.1,hour\n"
    result = assess(WEB, BUS, books={YOURS: book})
    assert priced(result) == {
        ("aws_msk_cluster.bus", "whole resource"): (300.0, "your price book, line 2"),
        ("aws_instance.web", "whole resource"): (73.0, "your price book, line 3"),
    }
    assert rows(result, "unpriced") == [] and figure(result, "monthly_cost") == 373.0


def test_yours_goes_before_the_servers_and_both_before_imported_prices() -> None:
    name = ("aws_instance.web", MACHINE)
    row = "instance_type,price\nm5.large,{}\n"
    books = {IMPORTED: row.format("0.09"), SERVERS: row.format("0.08"), YOURS: row.format("0.07")}
    assert priced(assess(WEB, books=books))[name] == (51.1, "your price book, line 2")
    del books[YOURS]
    assert priced(assess(WEB, books=books))[name] == (58.4, "the server's price book, line 2")
    books[SERVERS] = "service,discount_percent\nec2,50\n"
    usd, source = priced(assess(WEB, books=books))[name]
    assert usd == 32.85  # the imported 0.09, half off, x 730
    assert source == "imported list prices, line 2; 50 % off: the server's price book, line 2"


def test_what_has_no_list_price_is_priced_where_its_quantity_is_known() -> None:
    odd = declared("aws_instance", "odd", instance_type="zz9.large")
    spot = declared(
        "aws_instance",
        "spot",
        instance_type="m5.large",
        instance_market_options={"market_type": "spot"},
    )
    book = "instance_type,price\nzz9.large,0.2\nm5.large,0.05\n"
    found = priced(assess(odd, spot, books={YOURS: book}))
    assert found["aws_instance.odd", "zz9.large instances, Linux assumed"][0] == 146.0
    assert not [name for name in found if name[0] == "aws_instance.spot"]
    spot_book = "instance_type,component,price\nm5.large,spot,0.03\n"
    found = priced(assess(spot, books={YOURS: spot_book}))
    assert [usd for (address, _), (usd, _) in found.items() if address == spot.address] == [21.9]


def test_own_prices_hold_on_azure_and_google_cloud() -> None:
    azure = declared(
        "azurerm_linux_virtual_machine", "vm", size="Standard_D2s_v5", location="West Europe"
    )
    google = declared(
        "google_compute_instance", "vm", machine_type="zz9-odd-4", zone="europe-west1-b"
    )
    book = "provider,instance_type,region,price\nazure,standard_d2s_v5,West Europe,0.05\n"
    found = priced(assess(azure, google, books={YOURS: f"{book}gcp,zz9-odd-4,,0.1\n"}))
    assert found[azure.address, "Standard_D2s_v5, Linux"] == (36.5, "your price book, line 2")
    assert found[google.address, "zz9-odd-4"] == (73.0, "your price book, line 3")


def test_savings_are_after_discounts_and_left_out_for_own_prices() -> None:
    def saved(text: str) -> list[float | None]:
        result = assess(WEB, books={YOURS: text})
        return [each.monthly_saving_usd for each in result.findings]

    full = saved("service,discount_percent\nrds,50\n")
    assert full == [13.87]  # m6g.large: (0.096 - 0.077) x 730
    assert saved("service,discount_percent\nec2,50\n") == [6.94]
    assert saved("instance_type,price\nm5.large,0.05\n") == []


def test_the_answer_lists_the_rows_and_those_that_matched_nothing() -> None:
    book = "instance_type,price\nm5.large,0.05\nx9.large,1\n"
    table = rows(assess(WEB, books={YOURS: book}), "price_book")
    assert [(row[1], row[3], row[4]) for row in table] == [
        (2, "0.05 USD an hour", 1),
        (3, "1 USD an hour", 0),
    ]


def test_json_says_the_same_as_csv() -> None:
    row = {"sku": "m5.large", "price": 0.05, "region": "US East"}
    as_list = read_price_book(json.dumps([row]).encode())
    as_object = read_price_book(json.dumps({"prices": [row]}).encode())
    assert as_list == as_object
    assert (as_list[0].instance_type, as_list[0].price, as_list[0].region, as_list[0].line) == (
        "m5.large",
        "0.05",
        "useast",
        1,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "The file has no rows"),
        ("instance_type,price\n", "The file has no rows"),
        ("name,price\nx,1\n", "Line 1: the column 'name' is unknown"),
        ("price,price\n1,2\n", "Line 1: a column appears twice"),
        ("sku,price\nm5,1,2\n", "Line 2: 3 cells under 2 columns"),
        ("sku,price\nm5,-1\n", "Line 2: price must be a number from 0 to 1,000,000"),
        ("sku,price\nm5,1e99\n", "Line 2: price must be a number"),
        ("sku,price\nm5,NaN\n", "Line 2: price must be a number"),
        ("sku,price\nm5,1000000.1\n", "Line 2: price must be a number"),
        ("sku,discount\nm5,101\n", "Line 2: discount_percent must be a number from 0 to 100"),
        ("sku,price,discount\nm5,1,1\n", "Line 2: either price or discount_percent must be set"),
        ("provider,price\naws,1\n", "Line 2: a price needs a resource_type or an instance_type"),
        ("provider,sku,price\nibm,m5,1\n", "Line 2: provider must be aws, azure or gcp"),
        ("sku,price\nm5,1\nM5,2\n", "Line 3: it matches the same resources as line 2"),
        (f"sku,price\n{'m' * 121},1\n", "Line 2: instance_type must be one line"),
        ('sku,price\n"m5\nx",1\n', "Line 2: instance_type must be"),
        ('sku,price\n"m5,1\n', "not CSV"),
        ("[1]", "Line 1: not an object"),
        ('[{"sku": ["m5"], "price": 1}]', "Line 1: instance_type must be text"),
        ('{"rows": []}', "JSON must be a list"),
        ("[" * 100_000, "The file is not JSON"),
        ("sku,price\n" + "\n".join(f"m{n},1" for n in range(5001)), "Line 5002: more than 5,000"),
        ("\xff".encode("latin-1"), "The file is not UTF-8 text"),
        (b"x" * (MAX_BYTES + 1), "The file is larger than 1,048,576 bytes"),
        ("sku,price,component\n" + "\n".join(f"m,1,{n}" for n in range(51)), "in component alone"),
    ],
)  # fmt: skip
def test_a_problem_names_its_line(text: str | bytes, expected: str) -> None:
    assert any(expected in each for each in problems(text)), problems(text)


def test_at_most_twenty_problems_are_named() -> None:
    text = "sku,price\n" + "\n".join(f"m{n},-1" for n in range(300))
    assert len(problems(text)) == 20
