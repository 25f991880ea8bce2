"""Kubernetes manifests against the API of one version: removed APIs, unknown fields, wrong types.

The schemas come from the package kubernetes-validate, in its strict form. Messages name fields and
types, and quote no value from the upload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

MAX_PROBLEMS = 20
"""Per object."""
_APPS = "apps/v1beta1 apps/v1beta2 extensions/v1beta1"
_REMOVED: tuple[tuple[str, str, str, str], ...] = (
    (_APPS, "Deployment DaemonSet ReplicaSet StatefulSet ControllerRevision", "1.16", "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", "1.16", "networking.k8s.io/v1"),
    ("extensions/v1beta1 policy/v1beta1", "PodSecurityPolicy", "1.25", ""),
    (
        "extensions/v1beta1 networking.k8s.io/v1beta1",
        "Ingress IngressClass",
        "1.22",
        "networking.k8s.io/v1",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        "1.22",
        "admissionregistration.k8s.io/v1",
    ),
    (
        "apiextensions.k8s.io/v1beta1",
        "CustomResourceDefinition",
        "1.22",
        "apiextensions.k8s.io/v1",
    ),
    ("apiregistration.k8s.io/v1beta1", "APIService", "1.22", "apiregistration.k8s.io/v1"),
    (
        "certificates.k8s.io/v1beta1",
        "CertificateSigningRequest",
        "1.22",
        "certificates.k8s.io/v1",
    ),
    ("coordination.k8s.io/v1beta1", "Lease", "1.22", "coordination.k8s.io/v1"),
    (
        "rbac.authorization.k8s.io/v1alpha1 rbac.authorization.k8s.io/v1beta1",
        "Role ClusterRole RoleBinding ClusterRoleBinding",
        "1.22",
        "rbac.authorization.k8s.io/v1",
    ),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", "1.22", "scheduling.k8s.io/v1"),
    (
        "storage.k8s.io/v1beta1",
        "CSIDriver CSINode StorageClass VolumeAttachment",
        "1.22",
        "storage.k8s.io/v1",
    ),
    ("batch/v1beta1", "CronJob", "1.25", "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", "1.25", "discovery.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26", "autoscaling/v2"),
    ("policy/v1beta1", "PodDisruptionBudget", "1.25", "policy/v1"),
    ("node.k8s.io/v1beta1", "RuntimeClass", "1.25", "node.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", "1.27", "storage.k8s.io/v1"),
)
"""API versions, kinds, the first Kubernetes without them, and their replacements (Kubernetes
documentation, "Deprecated API Migration Guide", read 2026-11)."""


def version_used(wanted: str) -> str:
    """``1.37``: the newest schema version that is not newer than ``wanted``, or the newest of all
    if that is empty or older than all."""
    known = _versions()
    fitting = [each for each in known if not wanted or _number(each) <= _number(wanted)]
    return (fitting or known)[-1]


def problems(text: str, *, wanted: str) -> Iterator[dict[str, Any]]:
    """What is wrong in the documents of one file. Lines are 1-based. Raises yaml.YAMLError."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            value = loader.construct_document(node)
            for item, place in _objects(value, node):
                yield from _of_object(item, place, version_used(wanted))
    finally:
        loader.dispose()


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as they do on the way to Kubernetes."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.CSafeLoader.construct_yaml_str)


def _objects(value: Any, node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    if not isinstance(value, dict):
        return
    items = value.get("items")
    if str(value.get("kind", "")).endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            yield from _objects(item, _at(node, ("items", number)))
    elif isinstance(value.get("kind"), str) and isinstance(value.get("apiVersion"), str):
        yield value, node


def _of_object(value: dict[str, Any], node: Any, version: str) -> Iterator[dict[str, Any]]:
    kind, api = value["kind"], value["apiVersion"]
    about = {"resource": _address(value), "resource_type": kind, **_lines(node)}
    if removed := _removal(kind, api, version):
        since, instead = removed
        words = f"{kind} of {api} was removed in Kubernetes {since}"
        fix = f"Use {instead}." if instead else "It has no replacement."
        line = _lines(_at(node, ("apiVersion",)))["line_start"]
        yield {**about, "rule": "KUBE-REMOVED", "title": words, "fix": fix, "focus": line}
        return
    validator = _validator(version, kind, api)
    if validator is None:
        if "." not in api:
            words = f"Kubernetes {version} has no {kind} in {api}"
            yield {**about, "rule": "KUBE-UNKNOWN", "title": words, "fix": "", "focus": None}
        return
    for count, error in enumerate(validator.iter_errors(value)):
        if count == MAX_PROBLEMS:
            return
        line = _line_of(error, _at(node, tuple(error.absolute_path)))
        rule, words = _worded(error, version)
        yield {**about, "rule": rule, "title": f"{kind}: {words}", "fix": "", "focus": line}


def _line_of(error: Any, node: Any) -> int:
    """The line of the field that should not be there, or of the value that is wrong."""
    if error.validator == "additionalProperties" and isinstance(node, yaml.MappingNode):
        known = error.schema.get("properties", {})
        for key, _ in node.value:
            if key.value not in known:
                return int(key.start_mark.line) + 1
    return _lines(node)["line_start"]


def _worded(error: Any, version: str) -> tuple[str, str]:
    path = ".".join(str(part) for part in error.absolute_path) or "the object"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        extra = sorted(str(name) for name in error.instance if name not in known)[:5]
        return "KUBE-FIELD", f"{path} has no field {', '.join(extra)} in Kubernetes {version}"
    if error.validator == "required":
        lacking = sorted(str(each) for each in error.validator_value if each not in error.instance)
        return "KUBE-SCHEMA", f"{path} lacks {', '.join(lacking)}"
    if error.validator == "type":
        kinds = error.validator_value
        wanted = [kinds] if isinstance(kinds, str) else [each for each in kinds if each != "null"]
        return "KUBE-SCHEMA", f"{path} is not of type {' or '.join(map(str, wanted))}"
    if error.validator == "enum":
        return "KUBE-SCHEMA", f"{path} is none of {', '.join(map(str, error.validator_value))}"
    return "KUBE-SCHEMA", f"{path} is not what Kubernetes {version} takes"


def _removal(kind: str, api: str, version: str) -> tuple[str, str] | None:
    for versions, kinds, since, instead in _REMOVED:
        is_meant = api in versions.split() and kind in kinds.split()
        if is_meant and _number(since) <= _number(version):
            return since, instead
    return _later_removal(kind, api, version)


@cache
def _later_removal(kind: str, api: str, version: str) -> tuple[str, str] | None:
    """By the schemas: an older version has the API, and this one does not."""
    known = [each for each in _versions() if _number(each) <= _number(version)]
    having = [each for each in known if _schema(each, kind, api) is not None]
    if not having or having[-1] == known[-1]:
        return None
    return known[known.index(having[-1]) + 1], ""


@cache
def _versions() -> list[str]:
    from kubernetes_validate import utils

    return sorted({utils.major_minor(each) for each in utils.all_versions()}, key=_number)


@cache
def _validator(version: str, kind: str, api: str) -> Any:
    """None if the version has no such object: a custom resource, or a wrong name."""
    import jsonschema
    from referencing import Registry, Resource

    schema = _schema(version, kind, api)
    if schema is None:
        return None
    registry: Any = Resource.from_contents(schema) @ Registry()
    registry = Resource.from_contents(_definitions(version)) @ registry
    return jsonschema.validators.Draft202012Validator(schema, registry=registry)


@cache
def _schema(version: str, kind: str, api: str) -> Any:
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    if not re.fullmatch(r"\w+", kind) or not re.fullmatch(r"[\w-]+", group):
        return None
    return _contents(f"{_folder(version)}/{kind.lower()}-{group}.json")


@cache
def _definitions(version: str) -> Any:
    return _contents(f"{_folder(version)}/_definitions.json")


def _folder(version: str) -> str:
    return f"kubernetes-json-schema/v{version}.0-local-strict"


def _contents(name: str) -> Any:
    from kubernetes_validate import utils

    try:
        return utils.schema_contents(name, "")
    except FileNotFoundError:
        return None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _address(value: dict[str, Any]) -> str:
    """The address in the resource model's form."""
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name") or metadata.get("generateName") or "unnamed"
    return f"{value['kind']}/{metadata.get('namespace') or 'default'}/{name}"


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    """The node at ``path``, or the last one on the way there."""
    for part in path:
        inner = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            inner = node.value[part] if part < len(node.value) else None
        if inner is None:
            return node
        node = inner
    return node


def _lines(node: Any) -> dict[str, int]:
    start, end = node.start_mark, node.end_mark
    last = end.line if end.column == 0 and end.line > start.line else end.line + 1
    return {"line_start": start.line + 1, "line_end": max(start.line + 1, last)}
