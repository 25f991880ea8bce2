"""Code examples in the reader's own names.

An example in the data set uses ``aws_s3_bucket.example`` and other invented names. If it mentions
only the finding's own resource, it is shown with that resource's name. Otherwise it is not shown,
as the reader would have to adapt it.
"""

from __future__ import annotations

import re

PLACEHOLDER = "example"
_DOCUMENTATION_ADDRESS = re.compile(r"\b(192\.0\.2|198\.51\.100|203\.0\.113)\.\d")
_REFERENCE = re.compile(r"\b(?:aws|azurerm|google)_\w+\.[\w-]+")


def in_own_names(example: str, *, resource: str, resource_type: str) -> str:
    """``example`` about ``resource`` (``module.m.aws_s3_bucket.logs[0]``); empty where it needs
    names that the reader does not have."""
    if not example:
        return ""
    name = re.sub(r"\[[^\]]*\]", "", resource).rpartition(".")[2]
    if name and re.fullmatch(r"[\w-]+", name):
        own = rf"\b{re.escape(resource_type)}\.{PLACEHOLDER}\b"
        example = re.sub(own, f"{resource_type}.{name}", example)
        example = re.sub(
            rf'^(resource "\w+" )"{PLACEHOLDER}"', rf'\1"{name}"', example, flags=re.MULTILINE
        )
    invented = set(_REFERENCE.findall(example)) - {f"{resource_type}.{name}"}
    if invented or _DOCUMENTATION_ADDRESS.search(example):
        return ""
    return "" if re.search(rf"\b{PLACEHOLDER}\b", example) else example
