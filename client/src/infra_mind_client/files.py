"""Which files are worth sending to be assessed, and from where: a folder, or a commit."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pathspec import GitIgnoreSpec

from infra_mind_client.errors import CannotAssessError
from infra_mind_client.git import Entry, GitError, Repository, repository_of

MAX_BYTES = 50 * 1024 * 1024
MAX_FILES = 10_000
MAX_FILE_BYTES = 5 * 1024 * 1024
"""Bounds of one upload, as the server has them."""
SUFFIXES = (
    *(".tf", ".tofu", ".tfvars", ".hcl", ".tftpl", ".tpl", ".j2"),
    *(".yaml", ".yml", ".json", ".template", ".toml", ".bicep", ".bicepparam", ".nomad"),
    *(".sh", ".bash", ".ps1", ".cmd", ".bat"),
    *(".env", ".ini", ".cfg", ".conf", ".properties", ".pem", ".key"),
)
"""Code, and text that secrets are found in."""
NAMES = ("dockerfile", "containerfile", ".env")
EXACT = ("kustomization", "jenkinsfile", "vagrantfile", "tiltfile", ".helmignore", "notes.txt")
LEFT_OUT = {
    ".git",
    ".terraform",
    "node_modules",
    "__MACOSX",
    "__pycache__",
    ".venv",
    "venv",
    ".infra_mind",
}
INSTALLED = Path(".terraform/modules/modules.json")
"""Where ``terraform init`` lists the modules that it has copied, below a root's folder."""
MODULE_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json")
IGNORE_FILE = ".infra-mind-ignore"
MARKER = ".infra-mind.toml"
"""An empty file that is sent along with a folder: a file at the top ensures that scopes, and thus
fingerprints, are named relative to it, whichever folders the other files are in."""


class NothingToSendError(CannotAssessError):
    """There is no file to assess; the message says where and what to do."""


@dataclass
class Upload:
    """``files`` are (path with forward slashes, content). ``unread`` maps files that should have
    been sent to the reason why they were not; ``notes`` are for people."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    total: int = 0

    def add(self, path: str, *, size: int, read: Callable[[], bytes]) -> None:
        if (name := path.encode(errors="replace").decode()) != path:
            self.unread[name] = "not named in UTF-8"
        elif size > MAX_FILE_BYTES:
            self.unread[path] = f"larger than {MAX_FILE_BYTES // 1024**2} MB"
        elif self.total + size > MAX_BYTES or len(self.files) >= MAX_FILES:
            self.unread[path] = "past the limits of one upload (10,000 files, 50 MB)"
        else:
            try:
                self.files.append((path, read()))
                self.total += size
            except OSError as error:
                self.unread[path] = f"not readable: {error.strerror}"


@dataclass(frozen=True)
class Source:
    """Where the files are. Paths are sent relative to ``top``, the repository's if git knows the
    folder, so that findings have the same paths as on code hosts."""

    path: Path
    top: Path
    repository: Repository | None
    note: str = ""

    @classmethod
    def of(cls, path: Path) -> Source:
        """Raises NothingToSendError."""
        if not path.exists():
            raise NothingToSendError(f"There is no file or folder {path}.")
        top = path if path.is_dir() else path.parent
        try:
            repository = repository_of(path)
        except GitError as error:
            words = f"Paths are relative to {top}, as git can't read the repository: {error}"
            return cls(path, top.resolve(), None, words)
        return cls(path, repository.top.resolve() if repository else top.resolve(), repository)

    @property
    def below(self) -> str:
        """``path`` relative to ``top``; empty where they are the same."""
        found = self.path.resolve().relative_to(self.top).as_posix()
        return "" if found == "." else found

    def read(self) -> Upload:
        """A single file as it is, or a folder's infrastructure code, chosen by name. Raises
        NothingToSendError."""
        found = Upload(notes=[self.note] if self.note else [])
        if self.path.is_file():
            found.add(self.below, size=self.path.stat().st_size, read=self.path.read_bytes)
        else:
            self._read_folder(found)
        return _complete(found, what=str(self.path), is_folder=self.path.is_dir())

    def read_commit(self, commit: str) -> Upload:
        """The same at ``commit``; empty if the commit has none of it. Raises GitError."""
        if self.repository is None:
            raise GitError("There is no repository.")
        is_ignored = _ignored(self.top)
        chosen = [
            entry
            for entry in self._entries(commit)
            if entry.path == self.below or (_is_wanted(entry.path) and not is_ignored(entry.path))
        ]
        blobs = sorted({entry.blob for entry in chosen if entry.size <= MAX_FILE_BYTES})
        content = dict(zip(blobs, self.repository.contents(blobs), strict=True))
        found = Upload()
        for entry in chosen:
            found.add(entry.path, size=entry.size, read=partial(content.__getitem__, entry.blob))
        if found.files and not self.path.is_file():
            self._add_installed(found)
            found.files.append((MARKER, b""))
        return found

    def _add_installed(self, found: Upload) -> None:
        """Modules that Terraform has copied, which git ignores. They stand for a commit's, too:
        otherwise each of their findings would look new."""
        known = {path for path, _ in found.files}
        is_ignored = _ignored(self.top)
        for name in _installed(self.top, self.path if self.path.is_dir() else self.path.parent):
            path = self.top / name
            if name not in known and not is_ignored(name):
                found.add(name, size=path.stat().st_size, read=path.read_bytes)

    def _entries(self, commit: str) -> Iterator[Entry]:
        """The commit's files, links replaced by the files that they lead to."""
        if self.repository is None:
            return
        every = list(self.repository.tree(commit))
        regular = {each.path: each for each in every if not each.is_link}
        links = [each for each in every if each.is_link]
        targets = self.repository.contents([each.blob for each in links])
        yield from filter(self._is_below, regular.values())
        for link, target in zip(links, targets, strict=True):
            leads_to = posixpath.join(posixpath.dirname(link.path), os.fsdecode(target))
            if self._is_below(link) and (entry := regular.get(posixpath.normpath(leads_to))):
                yield replace(entry, path=link.path)

    def _is_below(self, entry: Entry) -> bool:
        return not self.below or entry.path == self.below or entry.path.startswith(f"{self.below}/")

    def _read_folder(self, found: Upload) -> None:
        is_ignored = _ignored(self.top)
        for name in self._listed():
            path = self.top / name
            if not _is_wanted(name) or is_ignored(name) or not path.is_file():
                continue
            if path.resolve().is_relative_to(self.top):
                found.add(name, size=path.stat().st_size, read=path.read_bytes)
            else:
                found.unread[name] = "a link that leads out of the folder"
        self._add_installed(found)

    def _listed(self) -> Iterable[str]:
        if self.repository is None:
            return _walk(self.path.resolve())
        return self.repository.files(self.below)


def _complete(found: Upload, *, what: str, is_folder: bool) -> Upload:
    if not found.files:
        why = "".join(f"\n  {path}: {reason}" for path, reason in list(found.unread.items())[:20])
        raise NothingToSendError(
            f"{what} has no file to assess: Terraform, YAML, JSON or a Dockerfile.{why}"
        )
    if is_folder:
        found.files.append((MARKER, b""))
    return found


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        below = Path(parent).relative_to(folder).as_posix()
        yield from (posixpath.normpath(posixpath.join(below, name)) for name in sorted(names))


def _installed(top: Path, folder: Path) -> Iterator[str]:
    """The manifests of installed modules and the Terraform files that they lead to, relative to
    ``top``."""
    for parent, folders, _ in os.walk(folder.resolve()):
        is_root = INSTALLED.parts[0] in folders
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        manifest = Path(parent) / INSTALLED
        if not is_root or not _is_file_in(manifest, top):
            continue
        inside = manifest.parent.resolve()
        yield manifest.relative_to(top).as_posix()
        for place in sorted(_places(manifest)):
            copied = (Path(parent) / place).resolve()
            if copied.is_dir() and copied.is_relative_to(inside):
                yield from (
                    path.relative_to(top).as_posix()
                    for path in sorted(copied.iterdir())
                    if path.name.endswith(MODULE_SUFFIXES) and _is_file_in(path, inside)
                )


def _is_file_in(path: Path, folder: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(folder)


def _places(manifest: Path) -> set[str]:
    try:
        value = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return set()
    listed = value.get("Modules") if isinstance(value, dict) else None
    return {
        each["Dir"].replace("\\", "/")
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("Dir"), str)
    }


def _is_wanted(path: str) -> bool:
    *folders, last = path.split("/")
    if LEFT_OUT.intersection(folders) or path == MARKER:
        return False
    name = last.lower()
    return (
        name.endswith(SUFFIXES)
        or name in EXACT
        or name.startswith(NAMES)
        or name.endswith(tuple(f".{each}" for each in NAMES))
    )


def _ignored(top: Path) -> Callable[[str], bool]:
    """Excluded by the ignore file at the top, in the format of .gitignore."""
    try:
        lines = (top / IGNORE_FILE).read_text().splitlines()
    except FileNotFoundError:
        return lambda path: False
    except (OSError, ValueError) as error:
        raise CannotAssessError(f"{top / IGNORE_FILE} can't be read: {error}") from error
    return GitIgnoreSpec.from_lines(lines).match_file
