"""A finding points to the line that decided, or to what should hold the line that is missing."""

from __future__ import annotations

import pytest

from assessments.scan.focus import focus_of
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
    ("text", "key", "line"),
    [
        (HCL, "name", 2),
        (HCL, "ingress/[0]/cidr_blocks", 5),
        (HCL, "ingress/[1]/cidr_blocks", 9),
        (HCL, "ingress/[1]/ipv6_cidr_blocks", 7),
        (HCL, "tags", None),
        (YAML, "spec/template/spec/containers/[0]/image", 8),
        (YAML, "spec/template/spec/containers/[1]/image", 10),
        (YAML, "spec/template/spec/containers/[1]/securityContext/privileged", 12),
        (YAML, "spec/template/spec/containers/[0]/securityContext/privileged", 7),
    ],
)
def test_the_path_is_followed_as_far_as_it_goes(text: str, key: str, line: int | None) -> None:
    assert focus_of(lines(text), [key]) == line


def test_the_number_is_the_files_not_the_blocks() -> None:
    assert focus_of(lines(HCL, first=41), ["ingress/[1]/from_port"]) == 48


def test_of_several_attributes_the_one_that_leads_furthest_counts() -> None:
    assert focus_of(lines(HCL), ["tags", "ingress/[1]/cidr_blocks", "name"]) == 9


def test_no_attribute_and_no_line_give_none() -> None:
    assert focus_of(lines(HCL), []) is None
    assert focus_of([], ["name"]) is None
