"""Edits preserve what is around them, and are not made if they would be a guess."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assessments.fixes.diff import unified_diff
from assessments.fixes.draft import draft
from assessments.fixes.errors import CannotFix
from assessments.fixes.hcl import set_in_resource
from assessments.fixes.yaml_text import child, items_of, roots_of, set_in_mapping
from assessments.scan.types import CheckResult, Outcome

INSTANCE = """\
resource "aws_db_instance" "orders" {
  # the café's orders
  identifier     = "orders" // stays
  instance_class = "db.t3.micro"
  multi_az       = var.multi_az
  tags = {
    team = "shop"
  }

  timeouts { create = "40m" }
}
"""


def changed(source: str, **changes: object) -> str:
    return set_in_resource(source, type="aws_db_instance", name="orders", changes=changes)


def added_lines(before: str, after: str) -> list[str]:
    diff = unified_diff("f", before, after, redact=lambda line: line).splitlines()[2:]
    assert not [line for line in diff if line.startswith("-")]
    return [line[1:] for line in diff if line.startswith("+")]


def test_an_attribute_is_added_in_the_alignment_of_those_above_it() -> None:
    after = changed(INSTANCE, storage_type="gp3")
    assert added_lines(INSTANCE, after) == ['  storage_type   = "gp3"']


def test_a_name_too_long_for_the_alignment_stands_by_itself_as_fmt_would_have_it() -> None:
    after = changed(INSTANCE, deletion_protection=True)
    assert added_lines(INSTANCE, after) == ["", "  deletion_protection = true", ""]


def test_a_block_on_one_line_is_opened() -> None:
    after = changed(INSTANCE, timeouts={"delete": "1h"})
    assert '  timeouts {\n    create = "40m"\n    delete = "1h"\n  }\n}' in after


def test_a_resource_without_a_body_gets_one() -> None:
    after = changed('resource "aws_db_instance" "orders" {}\n', multi_az=True)
    assert after == 'resource "aws_db_instance" "orders" {\n  multi_az = true\n}\n'


@pytest.mark.parametrize(
    "value", ["var.multi_az", '"${var.a}"', "!var.a", "local.x ? true : false", "[var.a]"]
)
def test_an_expression_is_never_replaced(value: str) -> None:
    source = f'resource "aws_db_instance" "orders" {{\n  multi_az = {value}\n}}\n'
    with pytest.raises(CannotFix):
        changed(source, multi_az=True)


def test_generated_blocks_are_left_alone() -> None:
    source = (
        'resource "aws_db_instance" "orders" {\n  dynamic "timeouts" {\n    for_each = var.t\n'
        "    content {}\n  }\n}\n"
    )
    with pytest.raises(CannotFix):
        changed(source, timeouts={"create": "1h"})


def test_a_file_that_is_not_hcl_is_left_alone() -> None:
    with pytest.raises(CannotFix):
        changed(INSTANCE + "}", multi_az=True)


def test_line_ends_of_windows_stay() -> None:
    after = changed(INSTANCE.replace("\n", "\r\n"), storage_type="gp3", parameters={"a": 1})
    assert after.count("\n") == after.count("\r\n")


POD = """\
spec:
  containers:
  - name: web # the shop
    image: shop:1
    args:
    - |
      # not a comment
      serve

  # what follows
  - {name: log, image: "log:1"}
  volumes: []
"""


def containers(source: str, **changes: object) -> str:
    found = items_of(child(roots_of(source)[0], "spec", "containers"))
    return set_in_mapping(source, found, changes=changes)


def test_keys_are_added_below_the_last_one_and_before_the_comment_of_the_next() -> None:
    after = containers(POD, imagePullPolicy="Always")
    assert "      serve\n    imagePullPolicy: Always\n\n  # what follows\n" in after
    assert '{name: log, image: "log:1", imagePullPolicy: Always}' in after


def test_an_empty_value_is_filled() -> None:
    source = "a:\n  securityContext: {}\n  b: 1\n"
    node = child(roots_of(source)[0], "a")
    assert node is not None
    after = set_in_mapping(source, [node], changes={"securityContext": {"privileged": False}})
    assert after == "a:\n  securityContext:\n    privileged: false\n  b: 1\n"


@pytest.mark.parametrize("value", ["!Ref Wanted", "${WANTED}", "{Ref: Wanted}", "*wanted"])
def test_what_yaml_takes_from_elsewhere_is_never_replaced(value: str) -> None:
    source = f"x: &wanted true\na:\n  privileged: {value}\n"
    node = child(roots_of(source)[0], "a")
    assert node is not None
    with pytest.raises(CannotFix):
        set_in_mapping(source, [node], changes={"privileged": False})


def test_json_stays_json() -> None:
    source = '{\n  "Resources": {\n    "B": {\n      "Type": "AWS::S3::Bucket"\n    }\n  }\n}\n'
    node = child(roots_of(source)[0], "Resources", "B")
    assert node is not None
    after = set_in_mapping(source, [node], changes={"Properties": {"On": True}})
    assert '"AWS::S3::Bucket",\n      "Properties": {\n        "On": true\n      }\n    }' in after


PASSWORD = "hunter2-Xy9"  # a line of its own


def hides(line: str) -> str:
    return line.replace(PASSWORD, "[redacted]")


def test_a_patch_never_shows_a_secret_beside_its_change() -> None:
    lines = ["a {", "  b = 1", f'  password = "{PASSWORD}"', "  c = 1", "  d = 1", "}"]
    before, after = ("\n".join(lines) + "\n" for lines in (lines, [*lines[:4], "  e = 1", "}"]))
    diff = unified_diff("f", before, after, redact=hides)
    assert PASSWORD not in diff and "[redacted]" not in diff and "+  e = 1" in diff


def test_a_change_to_a_line_with_a_secret_is_not_shown_at_all() -> None:
    before = f'password = "{PASSWORD}"\n'
    with pytest.raises(CannotFix):
        unified_diff("f", before, 'password = ""\n', redact=hides)


def applied(folder: Path, before: str, after: str) -> str:
    """``before`` after ``git apply``."""
    (folder / "f.tf").write_text(before)
    (folder / "p").write_text(unified_diff("f.tf", before, after, redact=lambda line: line))
    subprocess.run(["git", "apply", "p"], cwd=folder, check=True)
    return (folder / "f.tf").read_text()


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("added", ["\n\nnext {\n}", "\n", "\n\n\n", "}"])
def test_git_applies_what_is_added_at_the_end(tmp_path: Path, end: str, added: str) -> None:
    before = "a {\n  b = 1\n}" + end
    after = "a {\n  b = 1\n}" + added + end
    assert applied(tmp_path, before, after) == after


@pytest.mark.parametrize("end", ["\n", ""])
def test_git_applies_the_patch(tmp_path: Path, end: str) -> None:
    before = "".join(f"line {n}\n" for n in range(30)) + "last" + end
    after = before.replace("line 3\n", "line three\n").replace("last", "the last\nof all")
    assert applied(tmp_path, before, after) == after


DOCKERFILE = """\
FROM debian:12
RUN apt-get update && apt-get install -y \\
    # for the build
    git=1 \\
    make=4
CMD ["make"]
CMD serve --port $PORT
"""


def found(rule: str, line: int) -> CheckResult:
    return CheckResult(
        engine="hadolint",
        rule=rule,
        title=rule,
        outcome=Outcome.FAILED,
        resource="Dockerfile",
        resource_type="dockerfile",
        file="Dockerfile",
        line_start=line,
        line_end=line,
    )


def test_an_instruction_over_several_lines_is_changed_where_its_command_stands() -> None:
    drafted = draft("d", [found("DL3015", 2)], {"Dockerfile": DOCKERFILE})
    assert drafted is not None
    assert (
        "apt-get install --no-install-recommends -y \\\n    # for" in drafted.changed["Dockerfile"]
    )


PACKAGES = """\
FROM debian:12
RUN apt-get install -y curl wget \\
    wget \\
    && wget https://shop.test/a
"""


def test_a_package_that_is_called_like_a_command_is_not_changed() -> None:
    drafted = draft("d", [found("DL3047", 2)], {"Dockerfile": PACKAGES})
    assert drafted is not None
    after = PACKAGES.replace("&& wget", "&& wget --progress=dot:giga")
    assert drafted.changed["Dockerfile"] == after


def test_a_command_that_needs_its_shell_keeps_it() -> None:
    assert draft("d", [found("DL3025", 7)], {"Dockerfile": DOCKERFILE}) is None
