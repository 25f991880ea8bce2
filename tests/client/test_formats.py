"""The client's output, validated against the schemas of its consumers."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from infra_mind_client.formats import WRITERS
from infra_mind_client.formats.markdown import MAX_CHARS, as_markdown, marker
from infra_mind_client.formats.text import write_text
from infra_mind_client.review import Review, Unread, not_assessed_of
from tests.client.reviews import NASTY, finding, nasty_review, review

SCHEMAS = Path(__file__).parents[1] / "schemas"
ROOT = Path(__file__).parents[2]
EMPTY, FULL = review(figures=[], scores=[]), nasty_review()


def written(format: str, what: Review) -> str:
    return WRITERS[format](what).encode(errors="replace").decode()


def as_text(what: Review, *, limit: int = 100) -> str:
    out = io.StringIO()
    write_text(what, out, limit=limit)
    return out.getvalue()


@pytest.mark.parametrize("what", [EMPTY, FULL], ids=["empty", "full"])
def test_junit_follows_the_schema_of_jenkins(what: Review) -> None:
    text = written("junit", what)
    xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd").validate(text.split("\n", 1)[1])
    for suite in ET.fromstring(text):  # noqa: S314
        cases = list(suite)
        counted = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error")}
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == counted["failure"]
        assert int(suite.get("errors", "")) == counted["error"]


def test_junit_fails_what_is_new_and_skips_what_is_accepted() -> None:
    root = ET.fromstring(written("junit", FULL))  # noqa: S314
    security = next(suite for suite in root if suite.get("name") == "security")
    assert len(security.findall("testcase/failure")) == len(FULL.new)
    assert len(security.findall("testcase/skipped")) == len(FULL.accepted)


@pytest.mark.parametrize("what", [EMPTY, FULL], ids=["empty", "full"])
def test_code_quality_follows_what_gitlab_asks_for(what: Review) -> None:
    schema = Draft202012Validator(json.loads((SCHEMAS / "codeclimate.json").read_text()))
    issues = json.loads(written("codequality", what))
    assert [error.message for issue in issues for error in schema.iter_errors(issue)] == []
    assert len(issues) == sum(bool(each.file) for each in what.findings)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


@pytest.mark.parametrize("what", [EMPTY, FULL], ids=["empty", "full"])
def test_json_follows_its_schema(what: Review) -> None:
    schema = Draft202012Validator(json.loads((ROOT / "client/review.schema.json").read_text()))
    Draft202012Validator.check_schema(schema.schema)
    document = json.loads(written("json", what))
    assert [f"{error.json_path} {error.message}" for error in schema.iter_errors(document)] == []
    assert document["exit_status"] == what.exit_status
    figures = {each["key"]: each["difference"] for each in document["figures"]}
    assert figures == ({"monthly_cost": 20.5} if what is FULL else {})


def test_a_comment_shows_what_changed_and_nothing_of_the_files_is_markup() -> None:
    html = MarkdownIt("commonmark").enable("table").render(as_markdown(FULL))
    assert html.startswith("<!-- infra-mind: ")
    assert html.count("<!--") == 1
    assert 'href="z"' not in html and "<script" not in html
    assert "SSH is open to the internet" in html
    assert "<code>net/main.tf:8</code>" in html
    assert "3 new (3 high), 1 fixed (1 critical), 1 unchanged. 1 accepted." in html
    assert "+20.5" in html and "100.00 USD a month" in html
    assert "@team" in html and "\\@team" in as_markdown(FULL)


def test_a_comment_is_found_again_by_its_first_line() -> None:
    assert as_markdown(review()).startswith(marker("shop") + "\n")
    assert "-->" not in marker("a --> b")[:-3]


def test_a_long_comment_fits_and_says_what_it_leaves_out() -> None:
    long = [finding(n, title="x" * 300, resource="y" * 300, file="z" * 400) for n in range(900)]
    text = as_markdown(review(base="main", new=long, fixed=long))
    assert len(text) <= MAX_CHARS
    assert text.count("more: https://infra.example/") == 2


def test_the_text_names_rules_and_every_file_that_was_not_read() -> None:
    unread = [Unread(path=f"{n}.tf", reason="invalid HCL", line=n) for n in range(1, 80)]
    text = as_text(review(new=[finding()], unread=unread))
    assert "CKV_AWS_24" in text and "net/main.tf:8" in text
    assert all(f"{n}.tf:{n}: invalid HCL" in text for n in range(1, 80))


def test_the_text_counts_what_it_leaves_out_and_zero_leaves_out_nothing() -> None:
    many = review(new=[finding(n, file=f"f{n}.tf") for n in range(30)])
    assert "and 20 more" in as_text(many, limit=10)
    every = as_text(many, limit=0)
    assert "more" not in every and all(f"f{n}.tf:8" in every for n in range(30))


def test_the_text_breaks_no_line_so_that_places_can_be_followed() -> None:
    deep = "a-long-name/" * 30 + "main.tf"
    (line,) = (
        row for row in as_text(review(new=[finding(file=deep)])).splitlines() if "SSH" in row
    )
    assert f"{deep}:8" in line and line.endswith("(aws_security_group.web)")


def test_the_text_moves_no_cursor() -> None:
    assert not {"\x1b", "\x00", "\ud800"} & set(as_text(FULL))
    assert NASTY.split()[0] in as_text(FULL)


def test_programs_that_are_not_run_are_named_once_with_what_to_upload_instead() -> None:
    """A repository of CDK programs was told to add Terraform."""
    advice = "AWS CDK programs are not run. Run 'cdk synth'."
    rows = [
        ("a/cdk.json", "unknown", f"{advice} It was only searched for secrets."),
        ("b/cdk.json", "unknown", f"{advice} It was only searched for secrets."),
        ("main.py", "unknown", "Unsupported file type. It was only searched for secrets."),
        ("main.tf", "terraform", ""),
    ]
    coverage = [{"path": path, "kind": kind, "reason": reason} for path, kind, reason in rows]
    what = review(not_assessed=not_assessed_of({"coverage": coverage}))
    assert "Not assessed: 2\n  a/cdk.json and 1 more: " + advice in as_text(what)
    assert "**Not assessed: 2**" in as_markdown(what)
    assert "main.py" not in as_text(what)
    assert what.exit_status == 0
