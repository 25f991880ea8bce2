"""A finding points to the line that decided, or to what should contain the missing line."""

from __future__ import annotations

import pytest

from assessments.scan.focus import Focus, focus_of, shown, window
from assessments.scan.types import CodeLine

HCL = """\
resource "aws_security_group" "web" {
  name = "web"
  ingress {
    from_port   = 443
    cidr_blocks = ["10.0.0.0/8"]
  }
  ingress {
    from_port   = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""
YAML = """\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: cart
        image: cart:1
      - name: log
        image: "log:latest"
        securityContext:
          privileged: true
"""


def lines(text: str, *, first: int = 1) -> list[CodeLine]:
    return [CodeLine(number=n, text=line) for n, line in enumerate(text.splitlines(), start=first)]


@pytest.mark.parametrize(
    ("text", "key", "focus"),
    [
        (HCL, "ingress/[0]/cidr_blocks", Focus(5)),
        (HCL, "ingress/[1]/cidr_blocks", Focus(9)),
        (HCL, "ingress/[1]/ipv6_cidr_blocks", Focus(7, "ipv6_cidr_blocks")),
        (HCL, "tags", Focus(1, "tags")),
        (HCL, "metadata_options/[0]/http_tokens", Focus(1, "metadata_options.http_tokens")),
        (YAML, "spec/template/spec/containers/[0]/image", Focus(8)),
        (YAML, "spec/template/spec/containers/[1]/image", Focus(10)),
        (YAML, "spec/template/spec/containers/[1]/securityContext/privileged", Focus(12)),
        (
            YAML,
            "spec/template/spec/containers/[0]/securityContext/privileged",
            Focus(7, "securityContext.privileged"),
        ),
    ],
)
def test_the_path_is_followed_as_far_as_it_goes(text: str, key: str, focus: Focus) -> None:
    assert focus_of(lines(text), [key]) == focus


def test_the_number_is_the_files_not_the_blocks() -> None:
    assert focus_of(lines(HCL, first=41), ["ingress/[1]/from_port"]) == Focus(48)


def test_of_several_attributes_the_one_that_leads_furthest_counts() -> None:
    assert focus_of(lines(HCL), ["tags", "ingress/[1]/cidr_blocks", "name"]) == Focus(9)


def test_no_attribute_and_no_line_give_none() -> None:
    assert focus_of(lines(HCL), []) is None
    assert focus_of([], ["name"]) is None


DATABASE = """\
resource "aws_db_instance" "orders" {
  engine = "mysql"
  # copy_tags_to_snapshot = true
  lifecycle { prevent_destroy = true }
  tags = [
    "a",
    "b",
  ]
}
"""
STACK = """\
  Orders:
    Type: AWS::RDS::DBInstance
    Properties:
      Engine: mysql
      PubliclyAccessible: true
"""


@pytest.mark.parametrize(
    ("text", "keys", "attribute", "focus"),
    [
        (DATABASE, ["engine", "copy_tags_to_snapshot"], "copy_tags_to_snapshot", None),
        (DATABASE, [], "prevent_destroy", 4),
        (DATABASE, [], "aws_flow_log", None),
        (DATABASE, ["parameter[?(@/name=='x')]/value"], "parameter", None),
        (STACK, ["Properties/PubliclyAccessible"], "publicly_accessible", 5),
        (STACK, [], "publicly_accessible", 5),
    ],
)
def test_the_tables_attribute_decides_what_the_check_only_looked_at(
    text: str, keys: list[str], attribute: str, focus: int | None
) -> None:
    """Anything that only selects a check (``engine``), or is in a comment, is never the
    evidence."""
    expected = Focus(focus) if focus else Focus(1, attribute)
    assert focus_of(lines(text), keys, attribute=attribute) == expected


def test_of_the_tables_attributes_the_one_nearest_to_the_checks_counts() -> None:
    found = focus_of(lines(HCL), ["ingress/[1]/from_port"], attribute="cidr_block|cidr_blocks")
    assert found == Focus(9)


def test_nothing_is_called_missing_that_may_stand_where_nobody_looked() -> None:
    part = lines(HCL)[:4]
    assert focus_of(part, attribute="tags", end=11) == Focus(1)
    assert focus_of(part, attribute="tags", end=4) == Focus(1, "tags")
    merged = lines("web:\n  <<: *base\n  image: web:1\n")
    assert focus_of(merged, attribute="restart") == Focus(1)


def test_what_is_shown_is_the_line_or_what_it_lacks() -> None:
    code = lines(DATABASE)
    assert shown(code, Focus(2)) == 'engine = "mysql"'
    assert shown(code, Focus(5)) == 'tags = [ "a", "b", ]'
    assert shown(lines(HCL.replace("= [", "= [\n")), Focus(5)) == 'cidr_blocks = [ "10.0.0.0/8"]'
    assert shown(lines("  a       = 1"), Focus(1)) == "a = 1"
    assert shown(code, Focus(1, "multi_az")) == "multi_az is not set"
    assert shown(code, Focus(1, "aws_flow_log")) == "aws_flow_log is missing or incomplete"
    assert shown([], None) == ""


@pytest.mark.parametrize(("line", "numbers"), [(1, (1, 7)), (6, (3, 9)), (13, (7, 13))])
def test_seven_lines_are_shown_with_the_marked_one_among_them(
    line: int, numbers: tuple[int, int]
) -> None:
    code = window(lines("\n".join("abcdefghijklm")), line)
    assert (code[0].number, code[-1].number) == numbers
