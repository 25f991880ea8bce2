"""Versions of an assessment's files: what a run read never changes, identical content is stored
once, and anything no longer referenced is freed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from assessments import services, versions
from assessments.models import Assessment, AssessmentRun, Blob, Version, VersionFile
from assessments.quotas import QuotaError, stored_bytes_of
from assessments.requirements import Requirements
from assessments.scan.intake import UploadError
from assessments.stages.stage import inputs
from assessments.versions import Change, Mode
from tasks_ui.models import ApiToken, State, TaskRun
from tests.assessments.rows import uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

MAIN = 'resource "aws_s3_bucket" "logs" {}\n'
CHANGED = 'resource "aws_s3_bucket" "logs" {\n  bucket = "shop-logs"\n}\n'
FILES = {"main.tf": MAIN, "net/vpc.tf": "# nothing yet\n", "README.md": "shop\n"}


@pytest.fixture
def shop(alice: User) -> Assessment:
    return uploaded(alice, FILES)


@pytest.fixture
def post(alice: User) -> Callable[..., Any]:
    client, key = Client(), ApiToken.issue(owner=alice, name="test")[1]

    def send(path: str, body: Any = None, *, form: bool = False, **headers: str) -> Any:
        kind: dict[str, Any] = {} if form else {"content_type": "application/json"}
        given = {"Authorization": f"Bearer {key}", **headers}
        return client.post(f"/api/v1/assessments/{path}", body or {}, headers=given, **kind)

    return send


@pytest.fixture
def get(alice: User) -> Callable[..., Any]:
    client, key = Client(), ApiToken.issue(owner=alice, name="test")[1]

    def send(path: str) -> Any:
        return client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})

    return send


def changed(assessment: Assessment, **given: Any) -> Version:
    files = {path: text.encode() for path, text in given.pop("files", {}).items()}
    change = Change.of(files.items(), **given)
    return versions.add_version(assessment, change, by=assessment.owner)


def texts_of(version: Version) -> dict[str, str]:
    rows = version.files.select_related("blob")
    return {row.path: bytes(row.blob.content).decode() for row in rows}


def test_a_version_replaces_all_files_or_changes_some(shop: Assessment) -> None:
    second = changed(
        shop,
        mode=Mode.CHANGE,
        files={"main.tf": CHANGED, "new.tf": "# new\n"},
        remove=["README.md"],
    )
    third = changed(shop, files={"only.tf": MAIN})
    assert texts_of(shop.versions.get(number=1)) == FILES
    assert texts_of(second) == {
        "main.tf": CHANGED,
        "net/vpc.tf": FILES["net/vpc.tf"],
        "new.tf": "# new\n",
    }
    assert texts_of(third) == {"only.tf": MAIN}
    assert [each.file_count for each in (second, third)] == [3, 1]
    assert [each.number for each in shop.versions.all()] == [3, 2, 1]


def test_a_run_keeps_the_version_that_it_read(shop: Assessment, alice: User) -> None:
    first = AssessmentRun.objects.get(task=services.start_analysis(shop, by=alice))
    changed(shop, files={"main.tf": CHANGED})
    newest = AssessmentRun.objects.get(task=services.start_analysis(shop, by=alice))
    assert {file.path: file.content.decode() for file in inputs(first)} == FILES
    assert [file.content.decode() for file in inputs(newest)] == [CHANGED]
    assert first.task
    TaskRun.objects.filter(pk=first.task.pk).update(state=State.FAILURE)
    first.task.refresh_from_db()
    again = services.run_again(first.task, by=alice)
    assert AssessmentRun.objects.get(task=again).version == first.version


def test_equal_content_is_stored_and_counted_once_per_owner(
    shop: Assessment, alice: User, bob: User
) -> None:
    size = sum(len(text) for text in FILES.values())
    assert (stored_bytes_of(alice.pk), shop.stored_bytes) == (size, size)
    uploaded(alice, FILES, name="the same again")
    changed(shop, files=FILES)
    uploaded(bob, FILES)
    assert Blob.objects.filter(owner=alice).count() == Blob.objects.filter(owner=bob).count() == 3
    assert stored_bytes_of(alice.pk) == size
    blob = Blob.objects.get(owner=bob, size=len(MAIN))
    assert blob.sha256 == hashlib.sha256(MAIN.encode()).hexdigest()


def test_deleting_frees_what_no_other_version_holds(
    shop: Assessment, alice: User, bob: User
) -> None:
    changed(shop, mode=Mode.CHANGE, files={"main.tf": CHANGED})
    other, of_bob = uploaded(alice, {"main.tf": MAIN}), uploaded(bob, FILES)
    services.delete_assessment(shop, by=alice)
    assert [bytes(blob.content).decode() for blob in Blob.objects.filter(owner=alice)] == [MAIN]
    assert texts_of(other.newest_version) == {"main.tf": MAIN}
    assert texts_of(of_bob.newest_version) == FILES
    services.delete_assessment(other, by=alice)
    assert stored_bytes_of(alice.pk) == 0


def test_an_account_goes_with_its_blobs(shop: Assessment, alice: User, bob: User) -> None:
    uploaded(bob, FILES)
    alice.delete()
    assert set(Blob.objects.values_list("owner", flat=True)) == {bob.pk}


def test_the_database_refuses_to_lose_a_blob_that_is_in_use(shop: Assessment) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Blob.objects.filter(owner=shop.owner_id).delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_uploads_of_the_same_content_at_once_share_one_blob(
    transactional_db: None, alice: User
) -> None:
    shop, other = uploaded(alice, FILES), uploaded(alice, FILES, name="other")
    doomed = uploaded(alice, {"new.tf": CHANGED}, name="doomed")

    def work(number: int) -> None:
        try:
            if number == 3:
                services.delete_assessment(doomed, by=alice)
            elif number % 2:
                changed(shop, files={"main.tf": CHANGED})
            else:
                changed(other, mode=Mode.CHANGE, files={f"{number}.tf": CHANGED})
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(8)))
    assert Blob.objects.filter(owner=alice, size=len(CHANGED)).count() == 1
    assert [each.number for each in shop.versions.all()] == [4, 3, 2, 1]
    assert texts_of(other.newest_version).keys() == FILES.keys() | {"0.tf", "2.tf", "4.tf", "6.tf"}
    assert not VersionFile.objects.filter(blob=None).exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"files": {}}, "There is no file in this version"),
        ({"files": {"a.tf": MAIN}, "remove": ["main.tf"]}, "only if the other files are kept"),
        ({"mode": Mode.CHANGE, "remove": ["gone.tf"]}, "gone.tf is not in version 1"),
        (
            {"mode": Mode.CHANGE, "files": {"main.tf": CHANGED}, "remove": ["main.tf"]},
            "both added and removed",
        ),
        ({"mode": Mode.CHANGE, "files": {"main.tf/a.tf": MAIN}}, "both a file and a folder"),
        ({"mode": Mode.CHANGE, "remove": list(FILES)}, "remove the last file"),
        ({"mode": Mode.CHANGE, "remove": ["../x"]}, "points outside the upload"),
    ],
)
def test_what_makes_no_version_is_refused(
    shop: Assessment, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UploadError, match=words):
        changed(shop, **given)
    assert shop.versions.count() == 1


def test_the_limits_hold_for_what_a_change_leads_to(shop: Assessment, settings: Settings) -> None:
    settings.UPLOAD_MAX_FILES = 3
    with pytest.raises(UploadError, match="more than 3"):
        changed(shop, mode=Mode.CHANGE, files={"new.tf": MAIN})
    changed(shop, mode=Mode.CHANGE, files={"new.tf": MAIN}, remove=["README.md"])
    settings.QUOTA_FILES = 8
    with pytest.raises(QuotaError, match="8 in all versions together"):
        changed(shop, files=FILES)


def test_the_files_of_old_versions_are_dropped_but_for_those_at_work(
    shop: Assessment, alice: User, settings: Settings
) -> None:
    settings.VERSIONS_KEPT = 2
    at_work = AssessmentRun.objects.get(task=services.start_analysis(shop, by=alice))
    for number in (2, 3, 4):
        changed(shop, files={"main.tf": f"# {number}\n"})
    kept = {each.number: each.files_dropped_at is None for each in shop.versions.all()}
    assert kept == {1: True, 2: False, 3: True, 4: True}
    assert {file.path for file in inputs(at_work)} == FILES.keys()
    assert not Blob.objects.filter(sha256=hashlib.sha256(b"# 2\n").hexdigest()).exists()
    with pytest.raises(services.VersionDroppedError, match="version 2 are no longer kept"):
        services.start_analysis(shop, by=alice, version=shop.versions.get(number=2))
    AssessmentRun.objects.update(status=AssessmentRun.Status.COMPLETED)
    changed(shop, files={"main.tf": "# 5\n"})
    assert shop.versions.get(number=1).files_dropped_at
    shop.refresh_from_db()
    assert shop.stored_bytes == stored_bytes_of(alice.pk) == 8


def test_the_api_adds_lists_and_reads_versions(
    shop: Assessment, post: Callable[..., Any], get: Callable[..., Any]
) -> None:
    body = {"mode": "change", "files": [{"path": "main.tf", "content": CHANGED}]}
    made = post(f"{shop.pk}/versions", body, **{"Idempotency-Key": "one"})
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/assessments/{shop.pk}/versions/2"
    again = post(f"{shop.pk}/versions", body, **{"Idempotency-Key": "one"})
    assert again.json() == made.json()
    upload = SimpleUploadedFile("x.tf", MAIN.encode())
    form = {"mode": "change", "files": [upload], "paths": ["net/x.tf"], "remove": ["README.md"]}
    assert post(f"{shop.pk}/versions", form, form=True).json()["number"] == 3
    listed = get(f"assessments/{shop.pk}/versions?limit=2").json()
    assert (listed["total"], listed["next_cursor"]) == (3, 2)
    assert [(each["number"], each["source"]) for each in listed["versions"]] == [
        (3, "api"),
        (2, "api"),
    ]
    rest = get(f"assessments/{shop.pk}/versions?cursor=2").json()
    assert [each["number"] for each in rest["versions"]] == [1]
    assert rest["next_cursor"] is None
    third = get(f"assessments/{shop.pk}/versions/3").json()
    assert [file["path"] for file in third["files"]] == ["main.tf", "net/vpc.tf", "net/x.tf"]
    assert third["files"][0]["size"] == len(CHANGED)
    assert third["files"][0]["sha256"] == hashlib.sha256(CHANGED.encode()).hexdigest()
    assert get(f"assessments/{shop.pk}/versions/4").status_code == 404
    about = get(f"assessments/{shop.pk}").json()
    assert (about["version"], about["files"]) == (3, 3)
    refused = post(f"{shop.pk}/versions", {"mode": "change", "remove": ["no.tf"]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == "no.tf"
    assert post(f"{shop.pk}/versions", {"mode": "merge"}).status_code == 422


def test_the_api_runs_the_version_that_is_named(
    transactional_db: None, shop: Assessment, post: Callable[..., Any], get: Callable[..., Any]
) -> None:
    changed(shop, files={"main.tf": CHANGED})
    for query, number in (("?version=1", 1), ("", 2)):
        assert post(f"{shop.pk}/analyze{query}").status_code == 202
        assert get(f"assessments/{shop.pk}").json()["runs"][0]["version"] == number
    assert post(f"{shop.pk}/analyze?version=3").status_code == 404
    shop.versions.filter(number=1).update(files_dropped_at="2026-11-25T12Z")
    gone = post(f"{shop.pk}/analyze?version=1")
    assert (gone.status_code, "no longer kept" in gone.json()["detail"]) == (409, True)


def test_an_upload_is_analyzed_as_a_version_of_the_assessment_that_is_named(
    shop: Assessment, alice: User, bob: User, post: Callable[..., Any]
) -> None:
    of_bob = uploaded(bob, FILES)
    files = [{"path": "main.tf", "content": CHANGED}]
    by_name = post("analyze", {"assessment": "shop", "files": files}, **{"Idempotency-Key": "k"})
    assert by_name.status_code == 202
    assert by_name.json()["assessment_id"] == str(shop.pk)
    again = post("analyze", {"assessment": "shop", "files": files}, **{"Idempotency-Key": "k"})
    assert again.json()["task_id"] == by_name.json()["task_id"]
    stated = {"requirements": {"replicas": 3}, "mode": "change"}
    by_id = post("analyze", {"assessment": str(shop.pk), "files": files, **stated})
    assert by_id.json()["assessment_id"] == str(shop.pk)
    shop.refresh_from_db()
    assert shop.requirements == {"replicas": 3}
    assert [run.version.number for run in shop.runs.all()] == [3, 2]
    new = post("analyze", {"assessment": "orders", "files": files}).json()
    assert Assessment.objects.get(pk=new["assessment_id"]).name == "orders"
    apart = post("analyze", {"name": "shop", "files": files}).json()
    assert apart["assessment_id"] != str(shop.pk)
    assert post("analyze", {"assessment": str(of_bob.pk), "files": files}).status_code == 404
    assert post("analyze", {"files": files}).status_code == 422
    assert of_bob.versions.count() == 1
    assert Assessment.objects.filter(owner=alice).count() == 3


def test_a_run_that_can_not_be_queued_stores_no_version(
    shop: Assessment, post: Callable[..., Any], settings: Settings, alice: User
) -> None:
    settings.QUOTA_WAITING_RUNS = 1
    services.start_analysis(shop, by=alice)
    files = [{"path": "main.tf", "content": CHANGED}]
    assert post("analyze", {"assessment": "shop", "files": files}).status_code == 429
    assert shop.versions.count() == 1


OLD = [("assessments", "0011_stored_bytes")]


def migrated_to(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def newest() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = MigrationExecutor(connection).loader.graph.leaf_nodes()
    return found


def old_rows(apps: Any, owner_id: int, name: str, files: dict[str, bytes]) -> Any:
    assessment = apps.get_model("assessments", "Assessment").objects.create(
        owner_id=owner_id, name=name
    )
    for path, content in files.items():
        sha256 = hashlib.sha256(content).hexdigest()
        apps.get_model("assessments", "SourceFile").objects.create(
            assessment=assessment,
            path=path,
            kind="terraform",
            size=len(content),
            sha256=sha256,
            content=content,
        )
    apps.get_model("assessments", "AssessmentRun").objects.create(assessment=assessment, number=1)
    return assessment.pk


def test_files_of_earlier_releases_become_version_1_and_back(
    transactional_db: None, alice: User, bob: User
) -> None:
    try:
        old = migrated_to(OLD)
        files = {"main.tf": b"a" * 5000, "copy.tf": b"a" * 5000, "b.bin": bytes(range(256))}
        one = old_rows(old, alice.pk, "one", files)
        many = [
            old_rows(old, bob.pk, f"{number}", {"main.tf": b"a" * 5000, "n.tf": b"%d" % number})
            for number in range(25)
        ]
        empty = old_rows(old, alice.pk, "questionnaire", {})
        migrated_to(newest())
        found = Version.objects.get(assessment=one)
        held = {row.path: bytes(row.blob.content) for row in found.files.select_related("blob")}
        assert held == files
        assert {row.kind for row in found.files.all()} == {"terraform"}
        assert (found.number, found.file_count, found.created_by) == (1, 3, alice)
        assert AssessmentRun.objects.get(assessment=one).version == found
        assert AssessmentRun.objects.get(assessment=empty).version.file_count == 0
        assert Blob.objects.filter(owner=alice).count() == 2
        assert Blob.objects.filter(owner=bob).count() == 26
        assert Assessment.objects.get(pk=one).stored_bytes == 5256
        assert Version.objects.filter(assessment__in=many).count() == 25
        assert VersionFile.objects.filter(version__assessment__in=many).count() == 50
        rows = migrated_to(OLD).get_model("assessments", "SourceFile").objects
        back = {row.path: bytes(row.content) for row in rows.filter(assessment=one)}
        assert back == files
        assert rows.count() == 53
    finally:
        migrated_to(newest())


def test_requirements_alone_are_a_version_without_files(alice: User) -> None:
    made = services.create_assessment(
        owner=alice, name="plan", requirements=Requirements(replicas=2), uploads=[]
    )
    assert made.newest_version.file_count == 0
    assert changed(made, mode=Mode.CHANGE, files={"main.tf": MAIN}).number == 2
