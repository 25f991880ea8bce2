"""The GitHub Action, the templates and the hook, validated against the schemas of their
consumers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from infra_mind_client.cli import cli
from infra_mind_client.comment import put_comment
from infra_mind_client.errors import CannotAssessError

ROOT = Path(__file__).parents[2]
GITHUB_WORKFLOW = ROOT / "client/ci/github.yml"


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", "client/ci/github.yml"),
        ("vendor.gitlab-ci", "client/ci/gitlab.yml"),
    ],
)
def test_each_follows_its_schema(schema: str, file: str) -> None:
    script = Path(sys.executable).parent / "check-jsonschema"
    command = [str(script), "--builtin-schema", schema, str(ROOT / file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_workflow_uses_inputs_that_the_action_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    workflow = yaml.safe_load(GITHUB_WORKFLOW.read_text())
    (used,) = (
        step["with"] for step in workflow["jobs"]["assess"]["steps"] if "infra-mind" in step["uses"]
    )
    assert set(used) <= set(action["inputs"])


def test_what_the_ready_made_pass_are_options_of_the_command() -> None:
    known = {option for each in cli.commands["analyze"].params for option in each.opts}
    for file in ("action.yml", "client/ci/gitlab.yml", ".pre-commit-hooks.yaml"):
        text = (ROOT / file).read_text()
        used = set(re.findall(r"(?<![\w-])--[a-z-]+", text))
        assert used and used <= known, file


def test_no_input_of_the_action_is_pasted_into_a_script() -> None:
    """The author of a pull request controls some of them."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert not [step["run"] for step in action["runs"]["steps"] if "${{" in step.get("run", "")]


def test_the_hook_is_one_that_pre_commit_takes() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repo,) = yaml.safe_load((ROOT / "client/ci/pre-commit.yml").read_text())["repos"]
    assert hook["id"] == repo["hooks"][0]["id"]
    assert {"name", "entry", "language"} <= set(hook) and hook["pass_filenames"] is False


class Host(BaseHTTPRequestHandler):
    """As much of a code host as comments need: it keeps them in a list."""

    comments: ClassVar[list[dict[str, Any]]] = []
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        page = int(self.path.rpartition("page=")[2])
        self._answer(self.comments[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        self.comments.append({"id": len(self.comments) + 1, **self._body()})
        self._answer(self.comments[-1])

    def do_PATCH(self) -> None:
        self.comments[int(self.path.rsplit("/", 1)[1]) - 1].update(self._body())
        self._answer({})

    do_PUT = do_PATCH

    def log_message(self, format: str, *args: Any) -> None:
        self.seen.append(f"{self.command} {self.path.partition('?')[0]}")

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _answer(self, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def host() -> Iterator[str]:
    Host.comments, Host.seen = [{"id": n, "body": "chat"} for n in range(1, 151)], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_comment_is_written_once_and_then_replaced(kind: str, host: str, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    environment = {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": host,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_TOKEN": "ghs_x",
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": host,
            "CI_PROJECT_ID": "12",
            "CI_MERGE_REQUEST_IID": "7",
            "INFRA_MIND_GITLAB_TOKEN": "glpat-x",
        },
    }[kind]
    assert put_comment("<!-- infra-mind: shop -->\nfirst", environment) == "written"
    assert put_comment("<!-- infra-mind: shop -->\nsecond", environment) == "replaced"
    assert put_comment("<!-- infra-mind: other -->\nthird", environment) == "written"
    assert [each["body"].split("\n")[-1] for each in Host.comments[150:]] == ["second", "third"]
    below = {"github": "/repos/acme/shop/issues/7/", "gitlab": "/projects/12/merge_requests/7/"}
    assert any(below[kind] in each for each in Host.seen)


def test_there_is_no_comment_outside_of_a_merge_request(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(event)}
    for each in ({}, environment, {"GITLAB_CI": "true"}):
        with pytest.raises(CannotAssessError):
            put_comment("x", each)
