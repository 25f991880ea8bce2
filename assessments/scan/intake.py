"""Intake: turns uploads into a flat list of bounded, safely named files, or refuses them and says
why."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from assessments.scan.installed import is_installed, is_worth_keeping, kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ARCHIVE_SUFFIXES = (".zip", ".tar.gz", ".tgz")
CHUNK = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one upload. Sizes are bytes after unpacking; ``ratio`` is unpacked bytes per packed
    byte.

    DEFLATE reaches at most about 1030:1 (zlib's technical details, "Maximum Compression Factor");
    source code compresses 3 to 20 times, so a ``ratio`` above 200 is treated as a bomb. It applies
    from ``ratio_floor`` bytes on, so that a small file of blanks isn't one.
    """

    total_bytes: int = 50 * 1024 * 1024
    files: int = 10_000
    file_bytes: int = 5 * 1024 * 1024
    path_chars: int = 400
    name_chars: int = 200
    depth: int = 30
    ratio: int = 200
    ratio_floor: int = 1024 * 1024


@dataclass(frozen=True)
class InputFile:
    """One uploaded file. ``path`` is relative, with ``/``; ``sha256`` is hex; ``size`` is in
    bytes."""

    path: str
    content: bytes
    sha256: str
    size: int

    @classmethod
    def of(cls, path: str, content: bytes) -> InputFile:
        return cls(
            path=path,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
        )


class UploadError(Exception):
    """An upload that is refused as a whole: what is wrong, in which file, and what to do next."""

    def __init__(self, message: str, path: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line


def read_upload(
    uploads: Iterable[tuple[str, bytes]], *, limits: Limits | None = None
) -> list[InputFile]:
    """Unpack archives among ``uploads`` ((name, content) pairs) and return the files, sorted by
    path. An archive in a folder (``charts/redis-1.0.0.tgz``) is a file of the project.

    Operating-system clutter (``__MACOSX/``, ``.DS_Store``, ``.git/``) is left out, and of
    ``.terraform/`` everything but the modules that are called.
    Raises UploadError for anything outside ``limits``, unsafe names, links, devices, and broken
    archives.
    """
    limits = limits or Limits()
    found: dict[str, InputFile] = {}
    total = 0
    for path, content in _without_uncalled(_unpacked(uploads, limits=limits), limits=limits):
        total += len(content)
        if total > limits.total_bytes:
            raise UploadError(
                f"The files unpack to more than {_mb(limits.total_bytes)}. Upload fewer files, or"
                " only the folders that hold infrastructure code.",
                path,
            )
        if path in found:
            raise UploadError(
                f"{path} appears twice. Rename one of them, or upload only one.", path
            )
        if len(found) >= limits.files:
            raise UploadError(
                f"More than {limits.files:,} files. Upload only the folders with infrastructure"
                " code.",
                path,
            )
        found[path] = InputFile.of(path, content)
    _refuse_file_as_folder(found)
    return [found[path] for path in sorted(found)]


def _without_uncalled(
    files: Iterable[tuple[str, bytes]], *, limits: Limits
) -> Iterator[tuple[str, bytes]]:
    """Installed modules come last, without their tests and examples, which no call leads to. Past
    the limits of one upload they are not collected, so the calls to them are gaps."""
    installed: dict[str, bytes] = {}
    total = 0
    for path, content in files:
        if not is_installed(path):
            yield path, content
        elif total + len(content) <= limits.total_bytes and len(installed) < 2 * limits.files:
            installed[path] = content
            total += len(content)
    for path in sorted(kept(installed)):
        yield path, installed[path]


def check_together(sizes: Mapping[str, int], *, limits: Limits) -> None:
    """Whether files of several uploads (sizes in bytes by path) fit into one. Raises
    UploadError."""
    if len(sizes) > limits.files:
        raise UploadError(
            f"Together with the existing files, that is more than {limits.files:,} files. Remove"
            " some, or upload everything again."
        )
    if sum(sizes.values()) > limits.total_bytes:
        raise UploadError(
            f"Together with the existing files, that is more than {_mb(limits.total_bytes)}. Remove"
            " some, or upload fewer."
        )
    _refuse_file_as_folder(sizes)


def safe_path(name: str, *, limits: Limits) -> str:
    """``name`` as a relative POSIX path in NFC; raises UploadError for one that could leave the
    upload."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)[:100]
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if not path or any(unicodedata.category(c) in {"Cc", "Cs", "Cf"} for c in path):
        raise UploadError(
            f"The name {shown!r} has characters that paths can't have. Rename the file.", shown
        )
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        raise UploadError(
            f"{shown} is an absolute path. Pack the archive with paths relative to the project.",
            shown,
        )
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise UploadError(
            f"{shown} points outside the upload with '..'. Pack the archive from the top of the"
            " project.",
            shown,
        )
    if not parts:
        raise UploadError("A file has no name. Give it one.", shown)
    return _within_bounds("/".join(parts), parts, shown=shown, limits=limits)


def _within_bounds(path: str, parts: list[str], *, shown: str, limits: Limits) -> str:
    if len(path.encode()) > limits.path_chars or any(
        len(part.encode()) > limits.name_chars for part in parts
    ):
        raise UploadError(
            f"The name {shown}... is too long (at most {limits.path_chars} bytes). Shorten it.",
            shown,
        )
    if len(parts) > limits.depth:
        raise UploadError(
            f"{shown}... is more than {limits.depth} folders deep. Upload a folder further down.",
            shown,
        )
    return path


def _unpacked(
    uploads: Iterable[tuple[str, bytes]], *, limits: Limits
) -> Iterator[tuple[str, bytes]]:
    for name, content in uploads:
        if "/" in name or not name.lower().endswith(ARCHIVE_SUFFIXES):
            if len(content) > limits.file_bytes:
                raise _too_large(name, limits)
            path = safe_path(name, limits=limits)
            if not _is_clutter(path):
                yield path, content
            continue
        members = _zip_members if name.lower().endswith(".zip") else _tar_members
        try:
            yield from members(name, content, limits=limits)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            ValueError,
        ) as e:
            raise UploadError(
                f"{name} can't be unpacked ({e}). Pack it again, then upload it again.", name
            ) from e
        except RuntimeError as e:
            raise UploadError(
                f"{name} is protected by a password. Pack it without one.", name
            ) from e


def _zip_members(name: str, content: bytes, *, limits: Limits) -> Iterator[tuple[str, bytes]]:
    budget = _Budget(name, packed=len(content), limits=limits)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            budget.count_member()
            if info.is_dir():
                continue
            path = safe_path(info.filename, limits=limits)
            if _is_clutter(path):
                continue
            mode = info.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
                raise _not_a_file(info.filename, name)
            with archive.open(info) as stream:
                yield path, budget.read(stream, path)


def _tar_members(name: str, content: bytes, *, limits: Limits) -> Iterator[tuple[str, bytes]]:
    budget = _Budget(name, packed=len(content), limits=limits)
    # "r|gz" reads the stream once, forwards only: headers can't send us back over the same bytes.
    # The counting wrapper also bounds what is skipped: tarfile reads through members that we
    # never ask for.
    with (
        _BoundedGzip(content, budget) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            budget.count_member()
            if member.isdir():
                continue
            path = safe_path(member.name, limits=limits)
            if _is_clutter(path):
                continue
            if not member.isreg():
                raise _not_a_file(member.name, name)
            data = archive.extractfile(member)
            if data is not None:
                yield path, budget.read(data, path, count=False)


class _Budget:
    """Counts what actually comes out of an archive; sizes claimed by its headers are ignored."""

    def __init__(self, archive: str, *, packed: int, limits: Limits) -> None:
        self.archive = archive
        self.packed = max(packed, 1)
        self.limits = limits
        self.out = 0
        self.members = 0

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits.files * 2:
            raise UploadError(
                f"{self.archive} has more than {self.limits.files * 2:,} entries. Upload only the"
                " folders with infrastructure code.",
                self.archive,
            )

    def add(self, count: int) -> None:
        self.out += count
        if self.out > self.limits.ratio_floor and self.out > self.packed * self.limits.ratio:
            raise UploadError(
                f"{self.archive} unpacks to more than {self.limits.ratio} times its size, as"
                " decompression bombs do. Pack only the project's own files.",
                self.archive,
            )
        # Tar adds up to 1 kB of headers and padding per member.
        if self.out > self.limits.total_bytes + self.limits.files * 1024:
            raise UploadError(
                f"{self.archive} unpacks to more than {_mb(self.limits.total_bytes)}. Pack only the"
                " folders with infrastructure code.",
                self.archive,
            )

    def read(self, stream: IO[bytes], path: str, *, count: bool = True) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if count:
                self.add(len(chunk))
            if size > self.limits.file_bytes:
                raise _too_large(path, self.limits)
            chunks.append(chunk)
        return b"".join(chunks)


class _BoundedGzip(io.RawIOBase):
    """A gzip stream whose output is counted as it is produced."""

    def __init__(self, content: bytes, budget: _Budget) -> None:
        self._gzip = gzip.GzipFile(fileobj=io.BytesIO(content))
        self._budget = budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._gzip.read(CHUNK if size < 0 else min(size, 1024 * 1024))
        self._budget.add(len(data))
        return data


def _is_clutter(path: str) -> bool:
    parts = PurePosixPath(path).parts
    clutter = {"__MACOSX", ".git"} if is_worth_keeping(path) else {"__MACOSX", ".git", ".terraform"}
    return bool(clutter & set(parts[:-1])) or parts[-1] in {
        ".DS_Store",
        "Thumbs.db",
    }


def _refuse_file_as_folder(found: Iterable[str]) -> None:
    paths = set(found)
    for path in sorted(paths):
        for parent in PurePosixPath(path).parents:
            if str(parent) in paths:
                raise UploadError(
                    f"{parent} is both a file and a folder (of {path}). Rename one of them.", path
                )


def _too_large(path: str, limits: Limits) -> UploadError:
    return UploadError(
        f"{path} is larger than {_mb(limits.file_bytes)}. Leave it out, or split it.", path
    )


def _not_a_file(member: str, archive: str) -> UploadError:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in member)[:100]
    return UploadError(
        f"{shown} in {archive} is a link or a device, which could point outside the upload. "
        "Pack real files only (zip does so by itself, tar with --dereference).",
        shown,
    )


def _mb(count: int) -> str:
    return f"{count / 1024 / 1024:.0f} MB"
