"""Builds a Kustomize overlay, inside the sandbox. Standard library only.

Nothing that an overlay asks for is fetched or run: there is no network, no other program is found,
and neither charts (--enable-helm) nor plugins (--enable-alpha-plugins) are enabled. Kustomize's own
rule that no file above an overlay's folder is read, other than kustomizations, stays on.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

BUILD_S = 60
MAX_CHARS = 10_000_000
MAX_OBJECTS = 10_000
_ORIGINS = "buildMetadata: [originAnnotations]"
_ORIGIN = re.compile(r"^    config\.kubernetes\.io/origin: \|\n((?:      .*\n)+)", re.MULTILINE)
_EMPTY = re.compile(r"^  annotations:\n(?!    )", re.MULTILINE)
_PATH = re.compile(r"^\s*path: (.+)$", re.MULTILINE)
_QUOTED = re.compile(r'err="(.*)"\s*\Z', re.DOTALL)


def arguments(program: list[str], folder: str) -> list[str]:
    """``program`` is the name and path of kustomize or kubectl."""
    name, path = program
    command = "build" if name == "kustomize" else "kustomize"
    return [path, command, folder, "--load-restrictor=LoadRestrictionsRootOnly"]


def build(program: list[str], *, root: str, kustomization: str) -> dict[str, str]:
    """The objects, as text, by the file that they come from (``yaml_name``); those of generators by
    the kustomization. Raises ValueError with Kustomize's reason, and OSError if it can't be run."""
    file = Path(kustomization)
    written = file.read_text()
    if re.search(r"^buildMetadata\s*:", written, re.MULTILINE):
        return _by_origin(_run(program, root), root=root, otherwise=kustomization)
    file.write_text(f"{written.rstrip()}\n{_ORIGINS}\n")
    try:
        made = _run(program, root)
    except ValueError:
        # Flow style, or a release that does not know the setting.
        file.write_text(written)
        made = _run(program, root)
    return _by_origin(made, root=root, otherwise=kustomization)


def yaml_name(path: str) -> str:
    """A name that is read as YAML, which ``Kustomization`` and ``web.json`` are not."""
    return path if path.endswith((".yaml", ".yml")) else f"{path}.yaml"


def _run(program: list[str], root: str) -> str:
    home = Path(os.environ["HOME"])
    made = home / "built.yaml"
    # Without preemption by signals, which the sandbox refuses to child processes.
    environment = {"HOME": str(home), "PATH": str(home / "none"), "GODEBUG": "asyncpreemptoff=1"}
    with made.open("wb") as output:
        try:
            done = subprocess.run(  # noqa: S603
                arguments(program, root),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=BUILD_S,
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"it takes longer than {BUILD_S} s") from error
    if done.returncode < 0 or made.stat().st_size > MAX_CHARS:
        raise ValueError("it produces more output than can be read")
    if done.returncode:
        raise ValueError(_reason(done.stderr.decode(errors="replace")))
    return made.read_text(errors="replace")


def _reason(errors: str) -> str:
    found = _QUOTED.search(errors)
    last = (errors.strip().splitlines() or ["it gave no reason"])[-1]
    words = found[1].replace('\\"', '"').replace("\\n", " ") if found else last
    words = words.removeprefix("error: ").removeprefix("Error: ")
    return words.replace(f"{Path.cwd()}/", "").replace(str(Path.cwd()), ".")


def _by_origin(made: str, *, root: str, otherwise: str) -> dict[str, str]:
    objects = [each for each in re.split(r"^---\n", made, flags=re.MULTILINE) if each.strip()]
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"it produces more than {MAX_OBJECTS:,} objects")
    found: dict[str, list[str]] = defaultdict(list)
    for each in objects:
        origin = _ORIGIN.search(each)
        bare = _EMPTY.sub("", _ORIGIN.sub("", each, count=1), count=1) if origin else each
        found[_file(origin, root) or otherwise].append(bare)
    return {yaml_name(path): "---\n".join(texts) for path, texts in found.items()}


def _file(origin: re.Match[str] | None, root: str) -> str:
    path = _PATH.search(origin[1]) if origin else None
    if path is None:
        return ""
    file = os.path.normpath(os.path.join(root, path[1].strip("\"'")))  # noqa: PTH118
    return file if Path(file).is_file() and not file.startswith(("/", "..")) else ""
