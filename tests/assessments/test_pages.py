"""Pages of assessments, requested like a browser without JavaScript: what they show, what they
refuse, and to whom."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from assessments.forms import LOOKS, RequirementsForm
from assessments.listing import run_path
from assessments.models import AgentReport, Assessment, AssessmentRun, Finding, Report
from assessments.muting import mute_finding
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from assessments.stages.stage import inputs
from tasks_ui.models import State, TaskRun
from tests.assessments.rows import assessed, uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAIN_TF = 'resource "aws_s3_bucket" "logs" {\n  bucket = "logs"\n}\n'


@pytest.fixture
def browser_of_alice(alice: User) -> Client:
    return signed_in(alice)


def signed_in(user: User) -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(user)
    return client


def analysed(owner: User, *, name: str = "orders", path: str = "main.tf") -> AssessmentRun:
    """A finished run with one finding, written as the pipeline writes it."""
    assessment = create_assessment(
        owner=owner, name=name, requirements=Requirements(), uploads=[(path, MAIN_TF.encode())]
    )
    task = start_analysis(assessment, by=owner)
    TaskRun.objects.filter(pk=task.pk).update(state=State.SUCCESS, current=100)
    run = AssessmentRun.objects.get(task=task)
    AssessmentRun.objects.filter(pk=run.pk).update(status=AssessmentRun.Status.COMPLETED)
    report = AgentReport.objects.create(
        run=run, agent="security", position=0, status="assessed", score=61
    )
    AgentReport.objects.create(
        run=run,
        agent="capacity",
        position=1,
        status="not_assessed",
        reason="No load is stated.",
        missing=["rps_peak"],
    )
    Finding.objects.create(
        run=run,
        report=report,
        agent="security",
        rule="CKV_AWS_18",
        title="Bucket keeps no access log",
        severity=3,
        severity_origin="engine",
        resource="aws_s3_bucket.logs",
        file=path,
        line_start=2,
        line_end=2,
        detail={
            "evidence": [{"number": 2, "text": '  bucket = "logs"'}],
            "expected": "an access log",
        },
        fingerprint="f" * 64,
    )
    return run


def form(**fields: Any) -> dict[str, Any]:
    return {"paste": MAIN_TF, "paste_name": "main.tf", **fields}


def test_each_requirement_has_its_field_in_the_form() -> None:
    fields = set(Requirements.model_fields) - {"usage"}  # it has a form on the cost page
    assert set(LOOKS) == fields == set(RequirementsForm().fields)


def test_the_form_gives_the_requirements_that_the_schema_defines() -> None:
    filled = RequirementsForm(
        {
            "rps_peak": "900",
            "frameworks": ["cis"],
            "regions": "eu-west-1, eu-central-1",
            "provider": "aws",
        }
    )
    assert filled.is_valid(), filled.errors
    assert filled.requirements == Requirements(
        rps_peak=900, frameworks=["cis"], regions=["eu-west-1", "eu-central-1"], provider="aws"
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rpo_minutes", "-5", "Enter 0 min or more."),
        ("rps_now", "0", "Enter more than 0 req/s."),
        ("uptime_target_percent", "100", "Enter less than 100 %."),
        ("replicas", "1.5", "Enter a whole number, in units."),
        ("service_time_ms", "fast", "Enter a number, in ms."),
        ("service_time_ms", "inf", "Enter a number, in ms."),
        (
            "regions",
            "eu west",
            "Enter region names such as eu-central-1, separated by commas.",
        ),
    ],
)
def test_a_refused_answer_is_named_at_its_field(
    browser_of_alice: Client, field: str, value: str, words: str
) -> None:
    answer = browser_of_alice.post(reverse("new_assessment"), form(**{field: value}))
    assert answer.status_code == 422
    assert answer.context["form"].errors == {field: [words]}
    assert answer.content.decode().count(words) == 2  # in the summary and below the field
    assert not Assessment.objects.exists()


def test_pasted_text_becomes_a_run_whose_page_opens_at_once(
    browser_of_alice: Client, alice: User
) -> None:
    answer = browser_of_alice.post(
        reverse("new_assessment"), form(name="orders", rps_peak="900"), follow=True
    )
    run = AssessmentRun.objects.get(assessment__owner=alice)
    assert answer.redirect_chain[-1][0] == reverse("run", args=[run.assessment_id, 1])
    assert run.assessment.requirements == {"rps_peak": 900.0}
    assert [(f.path, f.content.decode()) for f in inputs(run)] == [("main.tf", MAIN_TF)]
    assert run.task is not None and run.task.state == State.PENDING


def test_pasted_text_needs_a_file_name(browser_of_alice: Client) -> None:
    answer = browser_of_alice.post(reverse("new_assessment"), {"paste": MAIN_TF})
    assert answer.status_code == 422
    assert "paste_name" in answer.context["form"].errors


def test_a_form_sent_twice_makes_one_run(browser_of_alice: Client) -> None:
    key = str(uuid4())
    first = browser_of_alice.post(reverse("new_assessment"), form(key=key))
    second = browser_of_alice.post(reverse("new_assessment"), form(key=key))
    assert first["Location"] == second["Location"]
    assert TaskRun.objects.count() == Assessment.objects.count() == 1


def test_the_paths_of_a_folder_are_kept(browser_of_alice: Client) -> None:
    files = [
        SimpleUploadedFile("main.tf", MAIN_TF.encode()),
        SimpleUploadedFile("main.tf", MAIN_TF.encode()),
    ]
    sent = {"upload": files, "paths": '["infra/a/main.tf", "infra/b/main.tf"]'}
    assert browser_of_alice.post(reverse("new_assessment"), sent).status_code == 302
    assessment = Assessment.objects.get()
    assert assessment.name == "infra"
    paths = assessment.newest_version.files.values_list("path", flat=True)
    assert list(paths) == ["infra/a/main.tf", "infra/b/main.tf"]


def test_an_archive_is_unpacked(browser_of_alice: Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("modules/db/main.tf", MAIN_TF)
    sent = {"upload": SimpleUploadedFile("shop.zip", packed.getvalue())}
    assert browser_of_alice.post(reverse("new_assessment"), sent).status_code == 302
    assessment = Assessment.objects.get()
    assert (assessment.name, assessment.newest_version.files.get().path) == (
        "shop",
        "modules/db/main.tf",
    )


@pytest.mark.parametrize("paths", ['["a"]', '{"a": 1}', "[1, 2]", "nonsense"])
def test_a_list_of_paths_that_does_not_fit_its_files_is_refused(
    browser_of_alice: Client, paths: str
) -> None:
    files = [SimpleUploadedFile("a.tf", b"x"), SimpleUploadedFile("b.tf", b"x")]
    answer = browser_of_alice.post(reverse("new_assessment"), {"upload": files, "paths": paths})
    assert answer.status_code == 422
    assert not Assessment.objects.exists()


def test_nothing_to_assess_is_refused_in_words(browser_of_alice: Client) -> None:
    answer = browser_of_alice.post(reverse("new_assessment"), {})
    assert answer.status_code == 422
    assert "There is nothing to assess." in answer.content.decode()


def test_a_refused_form_names_the_files_to_choose_again(browser_of_alice: Client) -> None:
    sent = {"upload": SimpleUploadedFile("vpc.tf", MAIN_TF.encode()), "rpo_minutes": "-5"}
    page = browser_of_alice.post(reverse("new_assessment"), sent).content.decode()
    assert re.search(r"Choose\s+this file again.*vpc\.tf", page, re.DOTALL)


def test_an_unsafe_path_is_refused_and_named(browser_of_alice: Client) -> None:
    answer = browser_of_alice.post(reverse("new_assessment"), form(paste_name="../../etc/passwd"))
    assert answer.status_code == 422
    assert "../../etc/passwd" in answer.content.decode()
    assert not Assessment.objects.exists()


def test_an_upload_past_the_limit_is_refused_before_it_is_read(browser_of_alice: Client) -> None:
    answer = browser_of_alice.generic(
        "POST",
        reverse("new_assessment"),
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(settings.UPLOAD_MAX_BYTES * 2),
    )
    assert answer.status_code == 413
    assert "The upload is larger than 50 MB." in answer.content.decode()


def test_a_new_assessment_needs_a_csrf_token(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(reverse("new_assessment"), form()).status_code == 403
    assert not Assessment.objects.exists()


def test_the_sample_starts_with_one_press(browser_of_alice: Client, alice: User) -> None:
    answer = browser_of_alice.post(reverse("try_sample"), follow=True)
    assert answer.status_code == 200
    assert AssessmentRun.objects.get().assessment.owner == alice


def test_a_tile_shows_whole_sentences_and_its_counts_lead_to_their_findings(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    long = f"12 of 96 security checks failed. {'Each of them has a line of its own. ' * 6}"
    run.reports.filter(agent="security").update(summary=long)
    address = reverse("run", args=[run.assessment_id, run.number])
    page = browser_of_alice.get(address).content.decode()
    tile = page[page.index('id="pillars"') :].partition("</section>")[0]
    assert ">12 of 96 security checks failed.<" in tile
    (link,) = set(re.findall(r'href="(\?agent=security[^"]*)#findings"', tile))
    shown = browser_of_alice.get(address + link.replace("&amp;", "&")).context["findings"]
    assert [(finding.agent, finding.severity) for finding in shown] == [("security", 3)]
    listed = browser_of_alice.get(reverse("dashboard")).content.decode()
    assert f'href="{address}?severity=3#findings"' in listed


def test_no_summary_names_a_muted_finding(browser_of_alice: Client, alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": MAIN_TF}))
    for found in run.findings.all():
        mute_finding(found, by=alice, reason="It is a test bucket.")
    page = browser_of_alice.get(reverse("run", args=[run.assessment_id, run.number]))
    titles = set(run.findings.values_list("title", flat=True))
    assert titles and not [title for title in titles if title in page.content.decode()]


def test_the_palette_finds_ones_own_runs_and_assessments(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    run = analysed(alice)
    analysed(alice, name="vpc")
    analysed(bob, name="orders of bob")

    def found(name: str, words: str) -> list[tuple[str, str]]:
        items = browser_of_alice.get(reverse(name), {"q": words}).json()["items"]
        return [(item["label"], item["href"]) for item in items]

    assert found("find_runs", "ORDers") == [("orders run 1", run_path(run))]
    assert found("find_assessments", "ORDers\0") == [
        ("orders", reverse("assessment", args=[run.assessment_id]))
    ]
    assert len(found("find_runs", "")) == len(found("find_assessments", "")) == 2


def test_staff_are_led_to_the_administration(alice: User) -> None:
    link = f'href="{reverse("admin:index")}"'
    assert link not in signed_in(alice).get(reverse("dashboard")).content.decode()
    alice.is_staff = True
    alice.save()
    assert link in signed_in(alice).get(reverse("dashboard")).content.decode()


def test_a_finished_run_shows_score_place_and_what_to_add(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    page = browser_of_alice.get(
        reverse("run", args=[run.assessment_id, run.number])
    ).content.decode()
    assert "Bucket keeps no access log" in page
    assert "main.tf:2" in page
    assert re.search(r'class="big">61<', page)
    assert "No load is stated." in page
    assert f'{reverse("requirements", args=[run.assessment_id])}#id_rps_peak"' in page


def test_a_waiting_run_counts_its_files_and_does_not_say_that_they_are_read(
    browser_of_alice: Client, alice: User
) -> None:
    assessment = create_assessment(
        owner=alice,
        name="orders",
        requirements=Requirements(),
        uploads=[("a.tf", b"#"), ("b.tf", b"#")],
    )
    task = start_analysis(assessment, by=alice)
    page = browser_of_alice.get(reverse("run", args=[assessment.pk, 1])).content.decode()
    assert "It starts with the run." in page
    assert "The files are being read." not in page
    assert "2\N{NO-BREAK SPACE}files" in browser_of_alice.get(reverse("dashboard")).content.decode()
    TaskRun.objects.filter(pk=task.pk).update(
        state=State.STARTED, attempt=1, started_at=timezone.now()
    )
    page = browser_of_alice.get(reverse("run", args=[assessment.pk, 1])).content.decode()
    assert "The files are being read." in page


def test_after_a_parts_retry_the_page_and_the_list_show_one_number(
    browser_of_alice: Client, alice: User
) -> None:
    task = start_analysis(uploaded(alice, {"main.tf": MAIN_TF}), by=alice)
    run = AssessmentRun.objects.get(task=task)
    now = timezone.now()
    TaskRun.objects.filter(pk=task.pk).update(
        state=State.PROGRESS, attempt=1, current=24, started_at=now
    )
    for stage, weight, state in (("intake", 10, State.SUCCESS), ("scan", 40, State.STARTED)):
        TaskRun.objects.create(
            parent=task,
            owner=alice,
            kind=stage,
            queue="assessments",
            title=stage,
            stage=stage,
            weight=weight,
            state=state,
            attempt=2,
            started_at=now,
            finished_at=now if state == State.SUCCESS else None,
        )
    page = browser_of_alice.get(reverse("run", args=[run.assessment_id, 1])).content.decode()
    listed = browser_of_alice.get(reverse("dashboard")).content.decode()
    assert re.findall(r"data-number>(\d+)<", page) == ["24"]
    assert re.findall(r"data-percent>\s*(\d+)", listed) == ["24"]
    bars = re.findall(r'value="([\d.]+)"[^>]*data-stage-bar="(\w+)"', page)
    assert [bar for bar in bars if bar[1] == "scan"] == [("35.00", "scan")]


def test_a_failed_run_says_what_can_be_done(browser_of_alice: Client, alice: User) -> None:
    run = analysed(alice)
    run.reports.all().delete()
    AssessmentRun.objects.filter(pk=run.pk).update(status=AssessmentRun.Status.FAILED)
    failed = {
        "state": State.FAILURE,
        "error_code": "worker_lost",
        "error": "The worker was lost 4 times.",
    }
    assert run.task_id
    TaskRun.objects.filter(pk=run.task_id).update(**failed)
    page = browser_of_alice.get(
        reverse("run", args=[run.assessment_id, run.number])
    ).content.decode()
    assert "The worker was lost 4 times." in page
    assert "the machine ran out of memory" in page


def test_a_finding_shows_its_lines_on_its_own_page_and_as_a_part(
    browser_of_alice: Client, alice: User
) -> None:
    found = analysed(alice).findings.get()
    whole = browser_of_alice.get(reverse("finding", args=[found.pk])).content.decode()
    part = browser_of_alice.get(
        reverse("finding", args=[found.pk]), headers={"HX-Request": "true"}
    ).content.decode()
    for text in (whole, part):
        line = text.split('<li data-n="2" class="hit" aria-current="true">')[1].split("</li>")[0]
        assert unescape(re.sub("<[^>]*>", "", line)) == '  bucket = "logs"'
        assert "CKV_AWS_18" in text
    assert "<html" in whole and "<html" not in part


def test_added_requirements_start_a_new_run_and_leave_the_old_as_it_was(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    browser_of_alice.post(reverse("requirements", args=[run.assessment_id]), {"rps_peak": "900"})
    again = AssessmentRun.objects.get(assessment=run.assessment, number=2)
    run.refresh_from_db()
    assert (again.requirements, run.requirements) == ({"rps_peak": 900.0}, {})
    assert again.task is not None and again.task.again_of == run.task


def test_a_report_is_queued_and_downloads_as_a_file(browser_of_alice: Client, alice: User) -> None:
    run = analysed(alice)
    where = reverse("make_report", args=[run.assessment_id, run.number])
    assert browser_of_alice.post(where, {"kind": "technical", "format": "html"}).status_code == 302
    assert browser_of_alice.post(where, {"kind": "technical", "format": "exe"}).status_code == 404
    report = Report.objects.get()
    assert (
        browser_of_alice.get(reverse("download_report", args=[report.pk])).status_code == 404
    )  # not written yet
    Report.objects.filter(pk=report.pk).update(content=b"<p>words</p>")
    answer = browser_of_alice.get(reverse("download_report", args=[report.pk]))
    assert answer.content == b"<p>words</p>"
    assert answer["Content-Disposition"] == 'attachment; filename="orders-run-1-technical.html"'


def test_uploaded_names_are_inert(browser_of_alice: Client, alice: User) -> None:
    run = analysed(alice, name="<script>alert(1)</script>", path="<img src=x onerror=alert(1)>.tf")
    for where in (reverse("dashboard"), reverse("run", args=[run.assessment_id, 1])):
        page = browser_of_alice.get(where).content.decode()
        assert "<script>alert" not in page and "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page


def pages_of(run: AssessmentRun) -> list[str]:
    return [
        reverse("dashboard"),
        reverse("new_assessment"),
        reverse("assessment", args=[run.assessment_id]),
        reverse("run", args=[run.assessment_id, run.number]),
        reverse("requirements", args=[run.assessment_id]),
        reverse("finding", args=[run.findings.get().pk]),
        reverse("task_page", args=[run.task_id]),
    ]


def test_no_page_holds_an_inline_script_or_style_and_each_says_what_it_may_load(
    browser_of_alice: Client, alice: User
) -> None:
    for where in pages_of(analysed(alice)):
        answer = browser_of_alice.get(where, follow=True)
        page = answer.content.decode()
        assert answer.status_code == 200, where
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page
        ), where


def test_a_stranger_finds_none_of_alices_pages(alice: User, bob: User) -> None:
    run = analysed(alice)
    document = Report.objects.create(run=run, content=b"secret")
    stranger = signed_in(bob)
    for where in [*pages_of(run)[2:], reverse("download_report", args=[document.pk])]:
        assert stranger.get(where).status_code == 404, where
    for where in (
        reverse("analyze", args=[run.assessment_id]),
        reverse("requirements", args=[run.assessment_id]),
        reverse("make_report", args=[run.assessment_id, run.number]),
        reverse("cancel_task", args=[run.task_id]),
        reverse("run_task_again", args=[run.task_id]),
    ):
        assert stranger.post(where, {"format": "html"}).status_code == 404, where
    assert TaskRun.objects.count() == 1


def test_a_visitor_is_sent_to_sign_in(alice: User) -> None:
    for where in pages_of(analysed(alice)):
        answer = Client().get(where)
        assert answer.status_code == 302 and answer["Location"].startswith(reverse("login")), where


def test_a_runs_page_takes_as_many_queries_for_many_findings_as_for_few(
    browser_of_alice: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    run = analysed(alice)
    one = run.findings.get()
    for number in range(60):
        one.pk, one.fingerprint = uuid4(), f"{number:064}"
        one.save(force_insert=True)
    with django_assert_max_num_queries(24):
        browser_of_alice.get(reverse("run", args=[run.assessment_id, 1]))


def test_an_address_that_is_not_there_keeps_the_navigation_and_the_waiting_message(
    alice: User,
) -> None:
    client = signed_in(alice)
    run = analysed(alice)
    client.post(
        reverse("change_findings"),
        {"act": "assign", "finding": [run.findings.get().pk], "assignee": "Ada"},
    )
    missing = client.get("/nowhere/")
    assert missing.status_code == 404
    assert b'aria-label="Main"' in missing.content and b"assigned to Ada" not in missing.content
    assert b"assigned to Ada" in client.get(reverse("findings")).content
    assert b'aria-label="Main"' not in Client().get("/nowhere/").content


def test_the_parts_of_a_run_show_when_each_waited_and_ran(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    run = analysed(alice)
    task = run.task
    assert task is not None
    begin = task.queued_at
    TaskRun.objects.create(
        owner=alice,
        parent=task,
        kind="run_agent",
        queue="assessments",
        title="Security",
        state=State.SUCCESS,
        attempt=1,
        queued_at=begin,
        started_at=begin + timedelta(seconds=2),
        finished_at=begin + timedelta(seconds=5),
    )
    path = reverse("run_parts", args=[run.assessment_id, run.number])
    rows = browser_of_alice.get(path).context["waterfall"].steps
    assert [(step.run.title, step.ran) for step in rows[1:]] == [("Security", timedelta(seconds=3))]
    page = browser_of_alice.get(path).content.decode()
    assert "Security" in page and "+2.0\N{NO-BREAK SPACE}s" in page
    assert signed_in(bob).get(path).status_code == 404
    AssessmentRun.objects.filter(pk=run.pk).update(task=None)
    assert "No times are kept" in browser_of_alice.get(path).content.decode()
