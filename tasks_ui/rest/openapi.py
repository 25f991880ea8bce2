"""The OpenAPI document: what Ninja knows about the operations, plus what it can't know: problems,
headers, examples, and the bodies that operations read themselves."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tasks_ui import protocol as p
from tasks_ui.rest import problems
from tasks_ui.rest.examples import EXAMPLES, PARAMETERS

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "Identifies this response. Send it as If-None-Match to get 304 as long as"
        " nothing has changed.",
        "schema": TEXT,
    },
    "Location": {"description": "The URL of the created object.", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": COUNT},
    "WWW-Authenticate": {"description": "How to sign in: Bearer.", "schema": TEXT},
    "RateLimit-Limit": {"description": "Requests per minute.", "schema": COUNT},
    "RateLimit-Remaining": {"description": "Requests left in this minute.", "schema": COUNT},
    "RateLimit-Reset": {"description": "Seconds until the next minute.", "schema": COUNT},
}
ALLOWANCE = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Left out while the server can't count."""
PROBLEM = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def answers(status: int, *names: str) -> dict[str, Any]:
    """For ``openapi_extra``: the response with ``status`` has the headers ``names``."""
    return {"responses": {status: {"headers": headers(*names)}}}


class Api(NinjaAPI):
    """``extra_schemas`` are the models of bodies that operations read themselves."""

    extra_schemas: list[type[BaseModel]]

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        components = document["components"]
        components["schemas"].update(self._own_schemas())
        components["headers"] = HEADERS
        p.name_event_data(components["schemas"], of="TaskEventOut")
        for operations in document["paths"].values():
            for operation in operations.values():
                _complete(operation)
        for name in components["schemas"].keys() & EXAMPLES.keys():
            components["schemas"][name]["examples"] = EXAMPLES[name]
        del components["schemas"]["TaskQuery"]  # its fields are the parameters of the list
        for scheme in components["securitySchemes"].values():
            if scheme["type"] == "http":
                scheme.pop("name", None)  # belongs to apiKey alone
        return document

    def _own_schemas(self) -> dict[str, Any]:
        models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            (model, "validation") for model in [p.Problem, *getattr(self, "extra_schemas", [])]
        ]
        _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
        return dict(definitions["$defs"])


def _complete(operation: dict[str, Any]) -> None:
    """The headers of its success, its problems, and the examples of its parameters."""
    responses = operation["responses"]
    is_signed_in = operation.get("security") != []
    for response in list(responses.values()):
        if is_signed_in:
            response.setdefault("headers", {}).update(headers(*ALLOWANCE))
    if is_signed_in:
        responses["401"] = _problem("Not signed in", "WWW-Authenticate")
        responses["429"] = _problem("Too many requests", "Retry-After", *ALLOWANCE)
    responses["4XX"] = _problem("A problem of the request (RFC 9457)")
    responses["503"] = _problem("The database can't be reached", "Retry-After")
    responses["5XX"] = _problem("A problem of the server (RFC 9457)")
    for parameter in operation["parameters"]:
        if parameter["name"] in PARAMETERS:
            parameter["example"] = PARAMETERS[parameter["name"]]


def _problem(words: str, *names: str) -> dict[str, Any]:
    with_headers = {"headers": headers(*names)} if names else {}
    return {"description": words, "content": PROBLEM, **with_headers}
