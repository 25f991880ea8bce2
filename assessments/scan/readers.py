"""Our own readers of declared things: Kubernetes, Compose, CloudFormation, Terraform plans ->
``Resource`` entries.

Plans and literal manifests are exact: they state what will exist.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from assessments.scan.plan_references import plan_references, without_indexes
from assessments.scan.plan_regions import plan_regions
from assessments.scan.stacks import Stack
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from assessments.scan.classify import Classified
    from assessments.scan.documents import Document

MAX_RESOURCES_PER_FILE = 20_000
MAX_MODULE_DEPTH = 20
_PROVIDERS = {
    "aws": "aws",
    "awscc": "aws",
    "azurerm": "azure",
    "azuread": "azure",
    "azapi": "azure",
    "google": "gcp",
    "kubernetes": "kubernetes",
    "helm": "kubernetes",
    "kubectl": "kubernetes",
    "docker": "docker",
}


def read_resources(item: Classified, *, given: Mapping[str, Any] | None = None) -> list[Resource]:
    """All resources that ``item`` declares, unredacted, in file order. ``given`` are a stack's
    parameters."""
    readers: dict[FileKind, Callable[[Document, str], Iterator[Resource]]] = {
        FileKind.KUBERNETES: kubernetes_resources,
        FileKind.COMPOSE: _compose,
        FileKind.CLOUDFORMATION: partial(_cloudformation, given=given or {}),
        FileKind.TERRAFORM_PLAN: _plan,
    }
    found: list[Resource] = []
    for document in item.documents:
        for resource in readers[item.kind](document, item.file.path):
            found.append(resource)
            if len(found) >= MAX_RESOURCES_PER_FILE:
                return found
    return found


def plan_addresses(document: Document) -> Iterator[str]:
    """The resources that will exist according to the plan."""
    planned = document.value.get("planned_values")
    root = planned.get("root_module") if isinstance(planned, dict) else None
    for value in _plan_module(root, depth=0):
        yield str(value.get("address", ""))


def provider_of(resource_type: str) -> str:
    """aws, azure, gcp, kubernetes, docker or other, from a Terraform type's prefix."""
    return _PROVIDERS.get(resource_type.split("_", 1)[0], "other")


def kubernetes_resources(document: Document, path: str) -> Iterator[Resource]:
    """The objects of a manifest, or of a list of them."""
    items = (
        document.value.get("items")
        if str(document.value.get("kind", "")).endswith("List")
        else None
    )
    for value in items if isinstance(items, list) else [document.value]:
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            continue
        metadata = value.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = str(metadata.get("name") or metadata.get("generateName") or "unnamed")
        namespace = str(metadata.get("namespace") or "default")
        yield Resource(
            address=f"{value['kind']}/{namespace}/{name}",
            type=value["kind"],
            name=name,
            provider="kubernetes",
            origin=FileKind.KUBERNETES,
            file=path,
            line_start=document.line_start,
            line_end=document.line_end,
            exact=True,
            attributes=value,
        )


def _compose(document: Document, path: str) -> Iterator[Resource]:
    services = document.value.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        start, end = document.lines.get(
            ("services", name), (document.line_start, document.line_end)
        )
        yield Resource(
            address=f"compose/{name}",
            type="compose_service",
            name=name,
            provider="docker",
            origin=FileKind.COMPOSE,
            file=path,
            line_start=start,
            line_end=end,
            exact=True,
            attributes=service if isinstance(service, dict) else {},
        )


def _cloudformation(
    document: Document, path: str, *, given: Mapping[str, Any]
) -> Iterator[Resource]:
    """The stack's view of its template: what a false Condition leaves out does not exist."""
    stack = Stack(document.value, dict(given))
    resources = document.value.get("Resources")
    for name, value in resources.items() if isinstance(resources, dict) else ():
        if not isinstance(value, dict) or not isinstance(value.get("Type"), str):
            continue
        exists = stack.exists(name)
        if exists is False:
            continue
        start, end = document.lines.get(
            ("Resources", name), (document.line_start, document.line_end)
        )
        yield Resource(
            address=name,
            type=value["Type"],
            name=name,
            provider="aws",
            origin=FileKind.CLOUDFORMATION,
            file=path,
            line_start=start,
            line_end=end,
            # Some parameters and functions are resolved only when the stack is created.
            exact=False,
            uncertain=""
            if exists
            else f"It is created only if the condition {stack.condition_of(name)} holds, which the"
            " upload doesn't determine.",
            attributes=stack.properties(value),
        )


def _plan(document: Document, path: str) -> Iterator[Resource]:
    planned = document.value.get("planned_values")
    root = planned.get("root_module") if isinstance(planned, dict) else None
    references = plan_references(document.value)
    places = plan_regions(document.value)
    for value in _plan_module(root, depth=0):
        address, kind = str(value.get("address", "")), str(value.get("type", ""))
        values = value.get("values")
        yield Resource(
            address=address,
            type=kind,
            name=str(value.get("name", "")),
            provider=provider_of(kind),
            origin=FileKind.TERRAFORM_PLAN,
            file=path,
            line_start=1,
            line_end=document.line_end,
            exact=True,
            attributes=_without_sensitive(values, value.get("sensitive_values"))
            if isinstance(values, dict)
            else {},
            region=places.get(without_indexes(address), ("", ""))[0],
            provider_alias=places.get(without_indexes(address), ("", ""))[1],
            references=references.get(without_indexes(address), []),
        )
    yield from _plan_providers(document, path)


def _plan_providers(document: Document, path: str) -> Iterator[Resource]:
    """Provider blocks with a literal region, so that prices can be looked up."""
    configuration = document.value.get("configuration")
    providers = configuration.get("provider_config") if isinstance(configuration, dict) else None
    for name, value in providers.items() if isinstance(providers, dict) else ():
        expressions = value.get("expressions") if isinstance(value, dict) else None
        region = expressions.get("region") if isinstance(expressions, dict) else None
        constant = region.get("constant_value") if isinstance(region, dict) else None
        if isinstance(constant, str):
            yield Resource(
                address=f"provider.{name}",
                type="provider",
                name=name,
                provider=_PROVIDERS.get(name.split(".")[0], "other"),
                origin=FileKind.TERRAFORM_PLAN,
                file=path,
                line_start=1,
                line_end=document.line_end,
                exact=True,
                attributes={"region": constant},
            )


def _plan_module(module: Any, *, depth: int) -> Iterator[dict[str, Any]]:
    if not isinstance(module, dict) or depth > MAX_MODULE_DEPTH:
        return
    resources, children = module.get("resources"), module.get("child_modules")
    for value in resources if isinstance(resources, list) else ():
        if (
            isinstance(value, dict)
            and value.get("mode", "managed") == "managed"
            and value.get("address")
        ):
            yield value
    for child in children if isinstance(children, list) else ():
        yield from _plan_module(child, depth=depth + 1)


def _without_sensitive(value: Any, sensitive: Any) -> Any:
    """``value`` with what Terraform itself marks as sensitive masked."""
    if sensitive is True:
        return "[redacted]"
    if isinstance(value, dict) and isinstance(sensitive, dict):
        return {key: _without_sensitive(item, sensitive.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(sensitive, list):
        marks = [*sensitive, *[None] * len(value)]
        return [_without_sensitive(item, mark) for item, mark in zip(value, marks, strict=False)]
    return value
