"""A comment on the current pipeline's merge request: written once, then replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra_mind_client.errors import CannotAssessError

PAGES_MAX = 30
TIMEOUT_S = 30


@dataclass(frozen=True)
class _Thread:
    """The comments of a merge request. ``list_url`` lists and creates comments; ``one_url`` is
    updated with ``method``."""

    list_url: str
    one_url: str
    method: str
    headers: dict[str, str]


def put_comment(text: str, environment: Mapping[str, str]) -> str:
    """Replace the comment that starts with the first line of ``text``, its marker, or create a new
    one. Returns "replaced" or "written". Raises CannotAssessError."""
    thread = _thread(environment)
    marker = text.split("\n", 1)[0]
    try:
        with httpx.Client(headers=thread.headers, timeout=TIMEOUT_S) as client:
            found = next((each for each in _comments(client, thread) if _has(each, marker)), None)
            if found is None:
                client.post(thread.list_url, json={"body": text}).raise_for_status()
                return "written"
            one = thread.one_url.format(found["id"])
            client.request(thread.method, one, json={"body": text}).raise_for_status()
            return "replaced"
    except httpx.HTTPError as error:
        raise CannotAssessError(f"The comment can't be written: {error}") from error


def _comments(client: httpx.Client, thread: _Thread) -> Iterator[dict[str, Any]]:
    for page in range(1, PAGES_MAX + 1):
        answer = client.get(thread.list_url, params={"per_page": 100, "page": page})
        rows = answer.raise_for_status().json()
        yield from rows
        if len(rows) < 100:
            return


def _has(comment: dict[str, Any], marker: str) -> bool:
    return str(comment.get("body", "")).startswith(marker)


def _thread(environment: Mapping[str, str]) -> _Thread:
    if environment.get("GITHUB_ACTIONS"):
        return _github(environment)
    if environment.get("GITLAB_CI"):
        return _gitlab(environment)
    raise CannotAssessError(
        "This is not a GitHub or GitLab pipeline: there is nothing to comment on."
    )


def _github(environment: Mapping[str, str]) -> _Thread:
    """GitHub Docs, "REST API endpoints for issue comments", version 2022-11-28."""
    event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text())
    number = event.get("pull_request", {}).get("number")
    if not number:
        raise CannotAssessError("This workflow run does not belong to a pull request.")
    issues = f"{environment['GITHUB_API_URL']}/repos/{environment['GITHUB_REPOSITORY']}/issues"
    headers = {
        "Authorization": f"Bearer {_needed(environment, 'GITHUB_TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return _Thread(f"{issues}/{number}/comments", f"{issues}/comments/{{}}", "PATCH", headers)


def _gitlab(environment: Mapping[str, str]) -> _Thread:
    """GitLab Docs, "Notes API", section "Merge requests"."""
    number = environment.get("CI_MERGE_REQUEST_IID")
    if not number:
        raise CannotAssessError("This pipeline does not belong to a merge request.")
    project = f"{environment['CI_API_V4_URL']}/projects/{environment['CI_PROJECT_ID']}"
    notes = f"{project}/merge_requests/{number}/notes"
    headers = {"PRIVATE-TOKEN": _needed(environment, "INFRA_MIND_GITLAB_TOKEN")}
    return _Thread(notes, f"{notes}/{{}}", "PUT", headers)


def _needed(environment: Mapping[str, str], name: str) -> str:
    if not (value := environment.get(name)):
        raise CannotAssessError(f"{name} is not set.")
    return value
