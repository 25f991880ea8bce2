"""Code in pages: colored by file type, line for line unchanged, escaped, and in bounded time."""

from __future__ import annotations

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.pages.highlight import MAX_CHARS, highlighted

PATHS = ["main.tf", "a.yaml", "b.json", "Dockerfile", "api.dockerfile", "x.tfvars", "notes.txt"]


def plain(line: str) -> str:
    return html.unescape(re.sub(r"</?span[^>]*>", "", line))


def test_terraform_is_colored_by_classes() -> None:
    lines = ['resource "aws_s3_bucket" "logs" {', '  acl = "private" # open', "}"]
    first, second, third = highlighted(lines, path="main.tf")
    assert '<span class="hk">resource</span>' in first
    assert '<span class="hs">&quot;private&quot;</span>' in second
    assert '<span class="hc"> # open' in second
    assert "style=" not in first + second + third


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))),
    st.sampled_from(PATHS),
)
def test_any_code_stays_itself_line_by_line(lines: list[str], path: str) -> None:
    shown = highlighted(lines, path=path)
    if not lines:
        assert [plain(line) for line in shown] in ([], [""])
        return
    assert [plain(line) for line in shown] == lines
    assert all("<" not in re.sub(r'</?span( class="h[a-z]")?>', "", line) for line in shown)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "piece",
    [
        "<<EOF\n",
        '"${' * 20 + "\n",
        "a: &b *c ",
        "\\\n",
        "{[",
        '"',
        "/*",
        "- " * 50 + "\n",
        " " * 99,
    ],
)
def test_code_written_to_be_slow_is_not(path: str, piece: str) -> None:
    """Linear for everything that is accepted: a lexer that backtracks would take minutes."""
    lines = [line[:300] for line in (piece * MAX_CHARS)[:MAX_CHARS].split("\n")]
    began = time.process_time()
    highlighted(lines, path=path)
    assert time.process_time() - began < 5


def test_long_code_is_plain() -> None:
    shown = highlighted(['a = "<b>"'] * MAX_CHARS, path="main.tf")
    assert shown[0] == "a = &quot;&lt;b&gt;&quot;"
