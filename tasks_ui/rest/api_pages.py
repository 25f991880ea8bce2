"""The APIs' documents as pages, for people who write a client. Generated from the documents
themselves."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET

from tasks_ui.protocol import SOCKET_PATH
from tasks_ui.rest import asyncapi
from tasks_ui.rest.api import api

CODE = re.compile(r"``([^`]+)``|`([^`]+)`")
LIMITS = {
    "minLength": "At least {} characters",
    "maxLength": "At most {} characters",
    "minItems": "At least {} items",
    "maxItems": "At most {} items",
    "minimum": "At least {}",
    "maximum": "At most {}",
    "exclusiveMinimum": "Above {}",
    "exclusiveMaximum": "Below {}",
}

Schema = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A row of a table: ``where`` is path, query or header for a parameter, "" for a property."""

    name: str
    type: SafeString
    is_required: bool
    about: SafeString
    where: str = ""


@dataclass(frozen=True)
class Type:
    """A schema with a name."""

    name: str
    about: SafeString
    fields: list[Field]
    values: list[str]
    examples: list[str]


@dataclass(frozen=True)
class Answer:
    status: str
    words: str
    type: SafeString


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    about: SafeString
    parameters: list[Field]
    bodies: list[tuple[str, SafeString]]
    answers: list[Answer]
    call: str


@dataclass(frozen=True)
class Message:
    name: str
    about: SafeString
    type: SafeString
    examples: list[str]


@require_GET
def rest(request: HttpRequest) -> HttpResponse:
    """The REST API."""
    document: Schema = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    schemas = document["components"]["schemas"]
    base = f"{request.scheme}://{request.get_host()}"
    by_tag: dict[str, list[Operation]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag[tag].append(_operation(method, path, operation, schemas, base=base))
    context = {
        "info": document["info"],
        "tags": dict(by_tag),
        "types": _types(schemas),
        "base": base,
    }
    return render(request, "tasks_ui/api_rest.html", context)


@require_GET
def socket(request: HttpRequest) -> HttpResponse:
    """The WebSocket API."""
    document = asyncapi.document(host=request.get_host(), is_secure=request.is_secure())
    messages = document["components"]["messages"]
    sides = {
        "You send": document["operations"]["receiveFromClient"]["messages"],
        "The server sends": document["operations"]["sendToClient"]["messages"],
    }
    spoken = {
        side: [_message(messages[reference["$ref"].rsplit("/", 1)[-1]]) for reference in references]
        for side, references in sides.items()
    }
    about, _, codes = document["info"]["description"].partition("\nClose codes:\n")
    scheme = document["servers"]["infra_mind"]["protocol"]
    context = {
        "about": [prose(part.replace("\n", " ")) for part in about.split("\n\n") if part.strip()],
        "codes": [line.removeprefix("- ").split(": ", 1) for line in codes.splitlines() if line],
        "address": f"{scheme}://{request.get_host()}{SOCKET_PATH}",
        "sides": spoken,
        "types": _types(document["components"]["schemas"]),
    }
    return render(request, "tasks_ui/api_socket.html", context)


def prose(words: str) -> SafeString:
    """Text with `code` and ``code`` marked up."""
    marked = CODE.sub(lambda found: f"<code>{found[1] or found[2]}</code>", escape(words))
    return mark_safe(marked)  # noqa: S308  (escaped above; only our own tags are added)


def _operation(
    method: str, path: str, operation: Schema, schemas: Schema, *, base: str
) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        about=prose(operation.get("description") or operation.get("summary", "")),
        parameters=[_parameter(each) for each in operation["parameters"]],
        bodies=[(kind, _type_of(body["schema"])) for kind, body in content.items()],
        answers=[_answer(status, answer) for status, answer in operation["responses"].items()],
        call=_curl(method, path, operation, schemas, base=base),
    )


def _parameter(parameter: Schema) -> Field:
    about = parameter.get("description", "")
    return Field(
        name=parameter["name"],
        type=_type_of(parameter["schema"]),
        is_required=parameter.get("required", False),
        about=_about({**parameter["schema"], "description": about}),
        where=parameter["in"],
    )


def _answer(status: str, answer: Schema) -> Answer:
    words = answer["description"]
    if status.isdecimal() and words in {"OK", HTTPStatus(int(status)).phrase}:
        words = HTTPStatus(int(status)).phrase
    schema = next(
        (each["schema"] for each in answer.get("content", {}).values() if "schema" in each), None
    )
    return Answer(
        status,
        words,
        _type_of(schema) if schema else SafeString("no body" if status == "204" else "a file"),
    )


def _curl(method: str, path: str, operation: Schema, schemas: Schema, *, base: str) -> str:
    """The operation as a command line, with the documented examples."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            placeholder = "{" + parameter["name"] + "}"
            path = path.replace(placeholder, str(parameter.get("example", placeholder)))
    lines = ['curl -s -H "Authorization: Bearer $TOKEN"']
    if method != "get":
        lines[0] += f" -X {method.upper()}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        examples = schemas[body["schema"]["$ref"].rsplit("/", 1)[-1]].get("examples", [{}])
        shown = json.dumps(examples[0]).replace("'", "'\\''")
        lines += ["-H 'Content-Type: application/json'", f"-d '{shown}'"]
    return " \\\n  ".join([*lines, f"{base}{path}"])


def _message(message: Schema) -> Message:
    examples = [_pretty(each["payload"]) for each in message["examples"]]
    return Message(
        message["name"], prose(message["summary"]), _type_of(message["payload"]), examples
    )


def _types(schemas: Schema) -> list[Type]:
    return [_type(name, schema) for name, schema in sorted(schemas.items())]


def _type(name: str, schema: Schema) -> Type:
    required = set(schema.get("required", []))
    fields = [
        Field(field, _type_of(each), field in required, _about(each))
        for field, each in schema.get("properties", {}).items()
    ]
    about = prose(" ".join(schema.get("description", "").split()))
    examples = [_pretty(example) for example in schema.get("examples", [])]
    return Type(name, about, fields, [str(value) for value in schema.get("enum", [])], examples)


def _about(schema: Schema) -> SafeString:
    """The description, and the limits in words."""
    bounds: list[str] = []
    for part in [schema, *schema.get("anyOf", [])]:
        bounds += [words.format(part[key]) for key, words in LIMITS.items() if key in part]
    if "default" in schema and schema["default"] not in (None, [], "", {}):
        bounds.append(f"Default {json.dumps(schema['default'])}")
    words = (
        schema.get("description", "")
        if "enum" not in schema.get("items", {}) or schema.get("description")
        else ""
    )
    parts = [prose(" ".join(words.split()))] if words else []
    return format_html_join(
        SafeString(". "),
        "{}",
        ((part,) for part in [*parts, *([". ".join(bounds)] if bounds else [])]),
    )


def _type_of(schema: Schema) -> SafeString:
    """A schema in words: ``array of TaskOut``, ``string (uuid) or null``; named ones are links."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return format_html('<a href="#{}">{}</a>', f"type-{name}", name)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return format_html_join(" or ", "{}", ((_type_of(each),) for each in schema[several]))
    if len(schema.get("allOf", [])) == 1:
        return _type_of(schema["allOf"][0])
    if "const" in schema:
        return format_html("<code>{}</code>", json.dumps(schema["const"]))
    if "enum" in schema:
        return format_html_join(
            SafeString(" or "), "<code>{}</code>", ((value,) for value in schema["enum"])
        )
    return _plain_type(schema)


def _plain_type(schema: Schema) -> SafeString:
    kind = schema.get("type", "anything")
    if kind == "array":
        return format_html("array of {}", _type_of(schema.get("items", {})))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return format_html("object of {}", _type_of(schema["additionalProperties"]))
    return (
        format_html("{} ({})", kind, schema["format"])
        if "format" in schema
        else format_html("{}", kind)
    )


def _pretty(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)
