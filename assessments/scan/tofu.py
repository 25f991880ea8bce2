"""OpenTofu's own file names, which the engines don't know: they are shown ``main.tofu.tf`` for
``main.tofu`` (opentofu.org/docs/language/files)."""

from __future__ import annotations

from typing import Any

TOFU = (".tofu", ".tofu.json")


def shown(path: str) -> str:
    """The name that an engine sees."""
    if path.endswith(".tofu"):
        return f"{path}.tf"
    return f"{path}.tf.json" if path.endswith(".tofu.json") else path


def uploaded(path: str) -> str:
    """The name that the file has, from the one that an engine saw."""
    if path.endswith(".tofu.tf"):
        return path.removesuffix(".tf")
    return path.removesuffix(".tf.json") if path.endswith(".tofu.json.tf.json") else path


def replaced(path: str, others: Any) -> bool:
    """Whether OpenTofu reads another file instead: of ``main.tf`` and ``main.tofu`` the latter."""
    for end in (".tf", ".tf.json"):
        if path.endswith(end) and not path.endswith(TOFU):
            return path.removesuffix(end) + end.replace(".tf", ".tofu") in others
    return False
