"""The bodies that carry files: JSON with texts, or multipart with files and archives."""

from __future__ import annotations

from typing import Annotated, Any

from django.conf import settings
from django.http import HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from assessments.requirements import Requirements
from assessments.scan.intake import UploadError
from assessments.versions import Change, Mode
from tasks_ui.protocol import Words
from tasks_ui.rest.problems import UnsupportedBodyError

Uploads = list[tuple[str, bytes]]
BODY_TYPES = ("application/json", "multipart/form-data")


class FileIn(BaseModel):
    """A text file; ``path`` is relative, with forward slashes."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=1000)
    content: str


class FilesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    requirements: Requirements = Requirements.model_validate({})
    files: Annotated[list[FileIn], Field(max_length=settings.UPLOAD_MAX_FILES)] = []


class AssessmentIn(FilesIn):
    name: Words = Field(min_length=1, max_length=120)


class VersionIn(FilesIn):
    """``replace``: the files make up the whole new version. ``change``: they are added to the
    newest version's files or overwrite them, and the paths in ``remove`` are left out.

    Given requirements replace those of the assessment, and so does a ``name``.
    """

    name: Words | None = Field(None, min_length=1, max_length=120)
    mode: Mode = Mode.REPLACE
    remove: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]],
        Field(max_length=settings.UPLOAD_MAX_FILES),
    ] = []

    def change(self, uploads: Uploads) -> Change:
        return Change.of(uploads, mode=self.mode, remove=self.remove)


class AnalyzeIn(VersionIn):
    """``assessment`` is an assessment's id or name. A name means your newest assessment with that
    name, or a new one if there is none. Without it a new assessment is created, which needs a
    ``name``."""

    assessment: Words | None = Field(None, min_length=1, max_length=120)


def read_body[T: FilesIn](request: HttpRequest, type: type[T]) -> tuple[T, Uploads]:
    """The fields, and the files as (path, content). Raises pydantic.ValidationError, UploadError,
    UnsupportedBodyError."""
    if request.content_type not in BODY_TYPES:
        raise UnsupportedBodyError(request.content_type or "", takes=" or ".join(BODY_TYPES))
    if request.content_type == "application/json":
        body = type.model_validate_json(request.body)
        return body, [(file.path, file.content.encode()) for file in body.files]
    return type.model_validate(_form_fields(request, type)), _form_files(request)


def _form_fields(request: HttpRequest, type: type[FilesIn]) -> dict[str, Any]:
    stated = request.POST.get("requirements") or "{}"
    fields: dict[str, Any] = {"requirements": Requirements.model_validate_json(stated)}
    for name in type.model_fields.keys() - {"requirements", "files"}:
        if name == "remove":
            fields[name] = request.POST.getlist(name)
        elif name in request.POST or type is AssessmentIn:
            fields[name] = request.POST.get(name, "")  # an empty name gets the words of JSON's
    return fields


def _form_files(request: HttpRequest) -> Uploads:
    files = request.FILES.getlist("files")
    paths = request.POST.getlist("paths") or [file.name or "" for file in files]
    if len(paths) != len(files):
        raise UploadError(
            f"There are {len(files)} files and {len(paths)} paths. Send one path for each file, or"
            " none."
        )
    return [(path, file.read()) for path, file in zip(paths, files, strict=True)]


_TEXTS = {"type": "array", "items": {"type": "string"}}
_FORM_FIELDS: dict[str, Any] = {
    "name": {"type": "string", "maxLength": 120},
    "requirements": {"type": "string", "description": "The requirements as JSON"},
    "files": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "description": "Files, or archives (.zip, .tar.gz, .tgz), which are unpacked",
    },
    "paths": {
        **_TEXTS,
        "description": "The path of each file, in the same order, if it differs from its name",
    },
}
_VERSION_FIELDS: dict[str, Any] = {
    "mode": {"type": "string", "enum": [mode.value for mode in Mode], "default": "replace"},
    "remove": {**_TEXTS, "description": "Paths to remove, with mode=change"},
}
_ANALYZE_FIELDS: dict[str, Any] = {
    "assessment": {"type": "string", "maxLength": 120, "description": "An id or a name"}
}


def json_body(schema: type[FilesIn]) -> dict[str, Any]:
    """``openapi_extra`` of an operation that takes ``schema`` as JSON."""
    reference = {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}
    return _body({"application/json": reference})


def form_body(schema: type[FilesIn]) -> dict[str, Any]:
    """``openapi_extra`` of its twin at ``/upload``, which takes a form.

    Either address takes either type. The documents say one of each: generators of clients make
    something usable of an operation with one type of body only.
    """
    form = dict(_FORM_FIELDS)
    if issubclass(schema, VersionIn):
        form |= _VERSION_FIELDS
    if issubclass(schema, AnalyzeIn):
        form |= _ANALYZE_FIELDS
    required = {"required": ["name"]} if schema is AssessmentIn else {}
    return _body(
        {"multipart/form-data": {"schema": {"type": "object", **required, "properties": form}}}
    )


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}
