"""OpenTofu's own file names, which the engines don't know: they are shown ``main.tofu.tf`` for
``main.tofu`` (opentofu.org/docs/language/files)."""

from __future__ import annotations

from collections.abc import Collection

TOFU = (".tofu", ".tofu.json")


def shown(path: str) -> str:
    """The name that an engine sees."""
    if path.endswith(".tofu"):
        return f"{path}.tf"
    return f"{path}.tf.json" if path.endswith(".tofu.json") else path


def uploaded(path: str) -> str:
    """The file's actual name, from the one that an engine saw."""
    if path.endswith(".tofu.tf"):
        return path.removesuffix(".tf")
    return path.removesuffix(".tf.json") if path.endswith(".tofu.json.tf.json") else path


def replaced(path: str, others: Collection[str]) -> bool:
    """Whether OpenTofu reads another file instead: of ``main.tf`` and ``main.tofu`` the latter."""
    return bool(replacement(path, others))


def replacement(path: str, others: Collection[str]) -> str:
    """The file that OpenTofu reads instead; empty if it reads this one."""
    for end in (".tf", ".tf.json"):
        if path.endswith(end) and not path.endswith(TOFU):
            other = path.removesuffix(end) + end.replace(".tf", ".tofu")
            return other if other in others else ""
    return ""
