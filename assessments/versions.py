"""The versions of an assessment's files, and the blobs that hold their content.

Code that stores or frees blobs locks the owner's row first (``quotas.lock``), so that no upload
refers to a blob that a deletion is freeing at that moment. The unique constraint on (owner, sha256)
and the foreign key to the blob hold even without the lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from assessments import quotas
from assessments.models import Assessment, AssessmentRun, Blob, Version, VersionFile
from assessments.scan.intake import (
    InputFile,
    Limits,
    UploadError,
    check_together,
    read_upload,
    safe_path,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

BATCH = 500
FREE_AT_ONCE = 10_000
AT_WORK = (
    AssessmentRun.Status.PENDING,
    AssessmentRun.Status.RUNNING,
    AssessmentRun.Status.RECOMMENDING,
)


class Mode(StrEnum):
    """Whether an upload is all of the new version, or changes the files of the newest one."""

    REPLACE = "replace"
    CHANGE = "change"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a new version differs in: files to add or overwrite, and, in mode CHANGE, paths to
    remove."""

    files: Sequence[InputFile]
    mode: Mode = Mode.REPLACE
    remove: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        uploads: Iterable[tuple[str, bytes]],
        *,
        mode: Mode = Mode.REPLACE,
        remove: Iterable[str] = (),
    ) -> Change:
        """From (path, content) pairs; archives are unpacked. Raises UploadError."""
        limits = upload_limits()
        change = cls(
            files=read_upload(uploads, limits=limits),
            mode=mode,
            remove=[safe_path(path, limits=limits) for path in remove],
        )
        change.check()
        return change

    def check(self) -> None:
        """Raises UploadError if it is empty or contradicts itself."""
        if self.mode is Mode.REPLACE and self.remove:
            raise UploadError(
                "Paths can be removed only if the other files are kept. Use mode=change, or leave"
                " the files out of the upload."
            )
        if not self.files and not self.remove:
            raise UploadError("There is no file in this version. Add at least one.")
        for path in {file.path for file in self.files} & set(self.remove):
            raise UploadError(f"{path} is both added and removed. Choose one.", path)


@dataclass(frozen=True)
class _Kept:
    """A file that a version inherits from the previous one."""

    blob_id: int
    kind: str
    size: int


def upload_limits() -> Limits:
    return Limits(
        total_bytes=settings.UPLOAD_MAX_BYTES,
        files=settings.UPLOAD_MAX_FILES,
        file_bytes=settings.UPLOAD_MAX_FILE_BYTES,
    )


def add_version(
    assessment: Assessment,
    change: Change,
    *,
    by: AbstractBaseUser,
    source: Version.Source = Version.Source.UPLOAD,
    idempotency_key: str | None = None,
) -> Version:
    """Store a new version of the assessment's files. The same ``idempotency_key`` gives the same
    version.

    Raises, with nothing stored, UploadError if the upload is refused; QuotaError if the owner has
    no room for it.
    """
    with transaction.atomic():
        quotas.lock(assessment.owner_id)
        Assessment.objects.select_for_update(no_key=True).get(pk=assessment.pk)
        versions = assessment.versions
        if idempotency_key is not None:
            earlier = versions.filter(idempotency_key=idempotency_key).first()
            if earlier:
                return earlier
        newest = versions.first()
        kept = _kept(newest, change) if newest and change.mode is Mode.CHANGE else {}
        _check_whole(change.files, kept)
        version = Version(
            assessment=assessment,
            number=newest.number + 1 if newest else 1,
            source=source,
            created_by_id=by.pk,
            idempotency_key=idempotency_key,
        )
        store(version, change.files, kept=kept)
        _drop_beyond_kept(assessment)
    return version


def store(
    version: Version, files: Sequence[InputFile], *, kept: Mapping[str, _Kept] | None = None
) -> None:
    """Save a version with its files. The owner is locked. Raises QuotaError."""
    kept = kept or {}
    owner_id = version.assessment.owner_id
    known = _known_blobs(owner_id, files)
    new = {file.sha256: file for file in files if file.sha256 not in known}
    version.file_count = len(files) + len(kept)
    quotas.check_files(
        owner_id, size=sum(file.size for file in new.values()), count=version.file_count
    )
    Blob.objects.bulk_create(
        (
            Blob(owner_id=owner_id, sha256=file.sha256, size=file.size, content=file.content)
            for file in new.values()
        ),
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    known |= _known_blobs(owner_id, new.values())
    version.save(force_insert=True)
    rows = [VersionFile(version=version, path=f.path, blob_id=known[f.sha256]) for f in files]
    rows += [
        VersionFile(version=version, path=path, kind=file.kind, blob_id=file.blob_id)
        for path, file in kept.items()
    ]
    VersionFile.objects.bulk_create(rows, batch_size=BATCH)
    count_bytes(version.assessment)


def count_bytes(assessment: Assessment) -> None:
    """Set ``stored_bytes``."""
    held = VersionFile.objects.filter(version__assessment=assessment).order_by().values("blob")
    sums = Blob.objects.filter(pk__in=held).aggregate(bytes=Sum("size", default=0))
    assessment.stored_bytes = sums["bytes"]
    assessment.save(update_fields=["stored_bytes"])


def blobs_of(assessment: Assessment) -> list[int]:
    """The ids of all blobs in its versions."""
    held = VersionFile.objects.filter(version__assessment=assessment).order_by()
    return list(held.values_list("blob", flat=True).distinct())


def free(owner_id: int, blobs: Sequence[int]) -> None:
    """Delete those of ``blobs`` (ids) that no version uses any more. The owner is locked."""
    for start in range(0, len(blobs), FREE_AT_ONCE):
        some = Blob.objects.filter(owner=owner_id, pk__in=blobs[start : start + FREE_AT_ONCE])
        some.filter(~Exists(VersionFile.objects.filter(blob=OuterRef("pk")))).delete()


def _known_blobs(owner_id: int, files: Collection[InputFile]) -> dict[str, int]:
    """The ids of the blobs that the owner has already, by sha256."""
    blobs = Blob.objects.filter(owner=owner_id, sha256__in={file.sha256 for file in files})
    return dict(blobs.values_list("sha256", "pk"))


def _kept(newest: Version, change: Change) -> dict[str, _Kept]:
    rows = newest.files.values_list("path", "blob_id", "kind", "blob__size")
    before = {path: _Kept(blob, kind, size) for path, blob, kind, size in rows}
    for path in change.remove:
        if before.pop(path, None) is None:
            raise UploadError(
                f"{path} is not in version {newest.number}, so it can't be removed.", path
            )
    for file in change.files:
        before.pop(file.path, None)
    return before


def _check_whole(files: Sequence[InputFile], kept: Mapping[str, _Kept]) -> None:
    """The limits of an upload apply to the result of a change."""
    sizes = {file.path: file.size for file in files} | {
        path: file.size for path, file in kept.items()
    }
    if not sizes:
        raise UploadError("That would remove the last file. Delete the assessment instead.")
    check_together(sizes, limits=upload_limits())


def _drop_beyond_kept(assessment: Assessment) -> None:
    """Drop the files of versions that are older than the newest ``VERSIONS_KEPT``, unless an active
    run reads them."""
    if settings.VERSIONS_KEPT <= 0:
        return
    at_work = AssessmentRun.objects.filter(version=OuterRef("pk"), status__in=AT_WORK)
    with_files = assessment.versions.filter(files_dropped_at=None)
    old = list(with_files.values_list("pk", flat=True)[settings.VERSIONS_KEPT :])
    ended = list(with_files.filter(~Exists(at_work), pk__in=old).values_list("pk", flat=True))
    if not ended:
        return
    rows = VersionFile.objects.filter(version__in=ended).order_by()
    blobs = list(rows.values_list("blob", flat=True).distinct())
    rows.delete()
    assessment.versions.filter(pk__in=ended).update(files_dropped_at=timezone.now())
    free(assessment.owner_id, blobs)
    count_bytes(assessment)
