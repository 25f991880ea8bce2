"""Modules that ``terraform init`` or ``tofu init`` has installed, if they are in the upload.

``ROOT/.terraform/modules/modules.json`` maps each module call of a root, by its names
(``network.subnets``), to the folder that its source was copied to. Nothing is downloaded: a module
without an entry is missing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FOLDER = ".terraform"
MANIFEST = "modules.json"
MAX_MODULES = 2_000
_PLACE = f"{FOLDER}/modules/"
_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json")
_REGISTRY = re.compile(r"(?:[\w.-]+\.[\w.-]+/)?([\w-]+/[\w-]+/[\w-]+(?://.*)?)\Z")
_EXACT = re.compile(r"=?\s*v?(\d+\.\d+\.\d+[\w.+-]*)\Z")


@dataclass(frozen=True)
class Copy:
    """Where a module was installed, and what from. ``folder`` is relative to the upload."""

    folder: str
    source: str
    version: str

    def why_not(self, source: str, *, version: str) -> str:
        """What is installed is not what the call asks for: the source or exact version differs."""
        wanted, got = _REGISTRY.match(source), _REGISTRY.match(self.source)
        exact = _EXACT.match(version)
        is_other = wanted and got and wanted[1] != got[1]
        if is_other or (exact and self.version and exact[1] != self.version):
            there = f"{self.source} {self.version}".strip()
            return (
                f"The module {source} {version} is not installed: {there[:200]} is."
                " Run 'terraform init' again, and upload .terraform/modules."
            )
        return ""


def is_installed(path: str) -> bool:
    """Whether ``path`` lies in a folder of installed modules."""
    return f"/{_PLACE}" in f"/{path}"


def root_of(path: str) -> str:
    """The folder of the root that ``path`` is installed for."""
    return f"/{path}".split(f"/{_PLACE}", 1)[0].lstrip("/")


def is_manifest(path: str) -> bool:
    return is_installed(path) and path.endswith(f"{_PLACE}{MANIFEST}")


def is_worth_keeping(path: str) -> bool:
    """Terraform's own files and the manifest, without a module's examples of other kinds."""
    return is_manifest(path) or (is_installed(path) and path.endswith(_SUFFIXES))


def copies(manifest: bytes | str, *, root: str) -> dict[str, Copy]:
    """The entries of a manifest that lie in the root's own ``.terraform/modules``, by the names of
    the calls. Equal sources share the first folder. Empty for what is not a manifest."""
    found: dict[str, Copy] = {}
    first: dict[tuple[str, str], str] = {}
    for entry in _entries(manifest):
        key, folder, source = (str(entry.get(name) or "") for name in ("Key", "Dir", "Source"))
        version = str(entry.get("Version") or "")
        place = posixpath.normpath(posixpath.join(root, folder.replace("\\", "/")))
        inside = posixpath.normpath(posixpath.join(root, _PLACE))
        if key and place.startswith(f"{inside}/"):
            is_local = source.startswith(("./", "../"))
            shared = place if is_local else first.setdefault((source, version), place)
            found[key] = Copy(folder=shared, source=source, version=version)
    return found


def kept(files: Mapping[str, bytes]) -> set[str]:
    """Those of ``files`` that some root's manifest leads to: modules come with tests and examples,
    which nothing calls."""
    folders = {
        each.folder
        for path, content in files.items()
        if is_manifest(path)
        for each in copies(content, root=root_of(path)).values()
    }
    return {
        path
        for path in files
        if (is_manifest(path) and folders) or posixpath.dirname(path) in folders
    }


def manifests(files: Iterable[tuple[str, bytes]]) -> dict[str, dict[str, Copy]]:
    """What is installed, by root folder."""
    return {
        root_of(path): copies(content, root=root_of(path))
        for path, content in files
        if is_manifest(path)
    }


def _entries(manifest: bytes | str) -> list[dict[str, Any]]:
    try:
        value = json.loads(manifest)
    except (ValueError, RecursionError):
        return []
    listed = value.get("Modules") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return []
    entries = [each for each in listed if isinstance(each, dict)]
    return sorted(entries[:MAX_MODULES], key=lambda each: str(each.get("Key")))
