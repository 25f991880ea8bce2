"""The formats that a review is written in. SARIF is the server's: a code host needs the whole run,
and there is one writer of it."""

from __future__ import annotations

from collections.abc import Callable

from infra_mind_client.formats.codequality import as_codequality
from infra_mind_client.formats.json import as_json
from infra_mind_client.formats.junit import as_junit
from infra_mind_client.formats.markdown import as_markdown
from infra_mind_client.review import Review

WRITERS: dict[str, Callable[[Review], str]] = {
    "json": as_json,
    "markdown": as_markdown,
    "junit": as_junit,
    "codequality": as_codequality,
}
FORMATS = ("text", *WRITERS, "sarif")
