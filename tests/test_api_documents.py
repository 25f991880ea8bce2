"""The documents of both APIs: current, true to the types, linted; and each example in them is
executed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from jsonschema import Draft202012Validator

from infra_mind.management.commands.write_api_documents import documents
from tasks_ui import protocol as p
from tasks_ui.models import ApiToken
from tasks_ui.rest.examples import EXAMPLES
from tests.api_world import end_all_runs, make_user, make_world
from tests.stack import Stack
from tests.tasks_ui.sockets import greeted

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OPENAPI: dict[str, Any] = json.loads(documents()["openapi.json"])
ASYNCAPI: dict[str, Any] = json.loads(documents()["asyncapi.json"])
ORDER = (
    "post",
    "get",
    "put",
    "patch",
    "delete",
)  # what is created is read, then deleted, containers last


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    found = [
        (method, path, each)
        for path, by_method in OPENAPI["paths"].items()
        for method, each in by_method.items()
    ]
    starts = {
        "analyze",
        "retry_task",
        "change_tasks",
    }  # after which the newest run is not the finished one
    return sorted(
        found,
        key=lambda each: (ORDER.index(each[0]), each[2]["operationId"] in starts, -len(each[1])),
    )


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def key(alice: User) -> str:
    return ApiToken.issue(owner=alice, name="test")[1]


@pytest.fixture
def world(shared_stack: Stack, alice: User) -> Iterator[None]:
    """The objects that the examples refer to."""
    make_world(alice)
    yield
    end_all_runs()


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_example_keeps_to_its_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    shown = {name: EXAMPLES[name] for name in schemas.keys() & EXAMPLES.keys()}
    assert shown
    for name, examples in shown.items():
        validator = Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})
        for example in examples:
            errors = [
                f"{name}: {error.json_path} {error.message}"
                for error in validator.iter_errors(example)
            ]
            assert errors == []


def test_every_message_of_the_socket_has_an_example_that_the_code_takes() -> None:
    frames = {frame.__name__: frame for frame in (*p.CLIENT_FRAMES, *p.SERVER_FRAMES)}
    assert frames.keys() == ASYNCAPI["components"]["messages"].keys()
    for name, message in ASYNCAPI["components"]["messages"].items():
        for example in message["examples"]:
            frames[name].model_validate(example["payload"])


def test_every_documented_request_gets_a_documented_answer(
    shared_stack: Stack, world: None, key: str
) -> None:
    with shared_stack.http(token=key) as http:
        for method, path, operation in operations():
            for body in bodies(operation):
                answer = call(http, method, path, operation, body)
                said = f"{method} {path} {body}: {answer.status_code} {answer.text[:300]}"
                assert answer.is_success, said
                assert str(answer.status_code) in operation["responses"], said
                assert breaches(operation["responses"][str(answer.status_code)], answer) == [], said


def test_every_documented_frame_is_answered_without_an_error(
    shared_stack: Stack, world: None, key: str
) -> None:
    messages = ASYNCAPI["operations"]["receiveFromClient"]["messages"]
    names = [each["$ref"].rsplit("/", 1)[-1] for each in messages]
    with greeted(shared_stack, token=key) as socket:
        for name in names:
            for example in ASYNCAPI["components"]["messages"][name]["examples"]:
                socket.say(**example["payload"])
                socket.say(type="ping", ref="end")
                while (frame := socket.hear())["type"] != "pong" or frame["ref"] != "end":
                    assert frame["type"] != "error", (example, frame)


@pytest.mark.parametrize("page", ["/api/v1/docs", "/api/v1/docs/socket"])
def test_the_pages_show_all_and_every_link_in_them_leads_somewhere(
    db: None, client: Client, page: str
) -> None:
    text = client.get(page).content.decode()
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert {target for target in re.findall(r'href="#([^"]+)"', text) if target not in ids} == set()
    if page.endswith("socket"):
        assert {
            f"message-{each['name']}" for each in ASYNCAPI["components"]["messages"].values()
        } <= ids
    else:
        assert {operation["operationId"] for _, _, operation in operations()} <= ids
    assert not re.search(r'(src|href)="(https?:)?//|<style|<script(?![^>]* src=)|style="', text)


@pytest.mark.slow
def test_the_linters_find_no_error() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not there: the linters of OpenAPI and AsyncAPI come from it")
    ended = subprocess.run(
        ["make", "lint-api"], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=280
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@dataclass
class Form:
    data: dict[str, str]
    files: dict[str, tuple[str, bytes, str]]


def bodies(operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return [None]
    if "multipart/form-data" in content:
        form = {"name": "shop"} if "assessment_id" not in str(operation["parameters"]) else {}
        return [Form(data=form, files={"files": ("main.tf", b"# a file", "text/plain")})]
    name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
    assert name in EXAMPLES, (
        f"{name} has no example: tasks_ui/rest/examples.py, assessments/rest/examples.py"
    )
    return EXAMPLES[name]


def call(
    http: httpx.Client, method: str, path: str, operation: dict[str, Any], body: Any
) -> httpx.Response:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(parameter["example"]))
    asked = {each["name"]: each["example"] for each in operation["parameters"] if is_asked(each)}
    if isinstance(body, Form):
        return http.request(method, path, params=asked, data=body.data, files=body.files)
    return http.request(method, path, params=asked, **({"json": body} if body is not None else {}))


def is_asked(parameter: dict[str, Any]) -> bool:
    return parameter["in"] == "query" and bool(parameter.get("required"))


def breaches(response: dict[str, Any], answer: httpx.Response) -> list[str]:
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    schema = response.get("content", {}).get(kind, {}).get("schema")
    if schema is None or schema.get("format") == "binary":
        return []
    validator = Draft202012Validator({**schema, "components": OPENAPI["components"]})
    return [f"{error.json_path} {error.message}" for error in validator.iter_errors(answer.json())]
