"""A person's price book on its page and in the API, and costs recalculated with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from assessments.checks import check_price_files
from assessments.models import AssessmentRun, MergedScan, PriceBook
from assessments.pricing import outdated_runs, prices_of
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis

if TYPE_CHECKING:
    from pytest_django import Settings

BOOK = "instance_type,price\nm5.large,0.05\n"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def finished_run(owner: User) -> AssessmentRun:
    made = create_assessment(
        owner=owner, name="shop", requirements=Requirements(), uploads=[("main.tf", b"")]
    )
    run = start_analysis(made, by=owner).assessment_run
    AssessmentRun.objects.filter(pk=run.pk).update(status=AssessmentRun.Status.COMPLETED)
    MergedScan.objects.create(run=run, checks=b"", resources=b"", about=b"")
    return run


def test_an_uploaded_file_is_kept_shown_and_given_back(client: Client, alice: User) -> None:
    path = reverse("price_book")
    assert "No prices yet" in client.get(path).content.decode()
    client.post(path, {"file": SimpleUploadedFile("contract.csv", BOOK.encode())})
    shown = client.get(path).content.decode()
    assert "contract.csv" in shown and "0.05 USD an hour" in shown
    assert client.get(reverse("price_book_file")).content.decode() == BOOK
    assert [each.price for each in prices_of(alice.pk)] == ["0.05"]
    client.post(reverse("delete_price_book"))
    assert prices_of(alice.pk) == [] and client.get(reverse("price_book_file")).status_code == 404


def test_a_wrong_file_is_refused_with_its_lines_and_the_old_one_stays(
    client: Client, alice: User
) -> None:
    path = reverse("price_book")
    client.post(path, {"text": BOOK})
    wrong = "instance_type,price\n<script>,x\nm5.large,-1\n"
    answer = client.post(path, {"text": wrong})
    shown = answer.content.decode()
    assert answer.status_code == 422 and "Nothing was saved." in shown
    assert "Line 2: price must be" in shown and "Line 3: price must be" in shown
    assert "<script>,x" not in shown
    assert PriceBook.objects.get(owner=alice).content == BOOK
    assert "Choose a file" in client.post(path, {}).content.decode()


def test_bob_has_a_price_book_of_his_own(client: Client, alice: User) -> None:
    client.post(reverse("price_book"), {"text": BOOK})
    bob = User.objects.create_user("bob")
    other = Client()
    other.force_login(bob)
    assert "m5.large" not in other.get(reverse("price_book")).content.decode().split("Format")[0]
    assert other.get(reverse("price_book_file")).status_code == 404
    assert other.post(reverse("recalculate_all")).status_code == 404
    other.post(reverse("delete_price_book"))
    assert prices_of(bob.pk) == [] and len(prices_of(alice.pk)) == 1


def test_what_is_older_than_the_change_is_calculated_again_without_a_scan(
    client: Client, alice: User
) -> None:
    run, others = finished_run(alice), finished_run(User.objects.create_user("bob"))
    client.post(reverse("price_book"), {"text": BOOK})
    book = PriceBook.objects.get(owner=alice)
    assert [each.pk for each in outdated_runs(book)] == [run.pk]
    assert "Recalculate" in client.get(reverse("price_book")).content.decode()
    client.post(reverse("recalculate_all"))
    again = run.assessment.runs.get(number=2)
    assert (again.completes, again.asks_all) == (run, True)
    assert outdated_runs(book) == [] and others.assessment.runs.count() == 1


def test_the_servers_files_are_read_for_everyone_and_checked_at_the_start(
    alice: User, settings: Settings, tmp_path: Path
) -> None:
    book, listed = tmp_path / "book.json", tmp_path / "list.csv"
    book.write_text(json.dumps([{"sku": "m5.large", "price": 0.04}]))
    listed.write_text(BOOK)
    settings.PRICE_BOOK, settings.LIST_PRICES = str(book), listed
    assert [each.cited for each in prices_of(alice.pk)] == [
        "the server's price book, line 1",
        "imported list prices, line 2",
    ]
    assert check_price_files(None) == []
    book.write_text("sku,price\nm5.large,x\n")
    listed.unlink()
    [problem] = check_price_files(None)
    assert "PRICE_BOOK can't be used. Line 2: price must be a number" in problem.msg
    settings.PRICE_BOOK = str(tmp_path / "nowhere.csv")
    assert "can't be read" in check_price_files(None)[0].msg
