"""Forms over ``Requirements``: the schema says which fields there are, this file only how each is
shown."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Union, get_args, get_origin

from django import forms
from django.core.files.uploadedfile import UploadedFile
from pydantic import ValidationError

from assessments.models import Assessment
from assessments.requirements import MAX_AMOUNT, Requirements, Usage
from assessments.scan.intake import ARCHIVE_SUFFIXES
from assessments.services import create_assessment
from assessments.versions import Change, Mode

PASTED_MAX_CHARS = 1_000_000
MAX_TAGS, MAX_TAG_CHARS = 10, 40


@dataclass(frozen=True, kw_only=True)
class Look:
    """How one field of ``Requirements`` is shown. ``used_by`` says what it is for, under the
    field."""

    group: str
    label: str
    unit: str = ""
    example: str = ""
    used_by: str = ""


LOOKS: dict[str, Look] = {
    "workload_types": Look(group="General", label="Kinds of workload"),
    "provider": Look(group="General", label="Provider"),
    "regions": Look(group="General", label="Regions", example="eu-central-1, eu-west-1"),
    "scope": Look(
        group="General",
        label="Scope",
        example="envs/prod",
        used_by="Which of several deployments the figures below describe",
    ),
    "criticality": Look(group="General", label="Criticality"),
    "rps_now": Look(
        group="Load", label="Requests per second now", unit="req/s", used_by="Capacity needs this"
    ),
    "rps_peak": Look(
        group="Load",
        label="Requests per second at peak",
        unit="req/s",
        used_by="Capacity needs this",
    ),
    "growth_12m_percent": Look(group="Load", label="Growth over 12 months", unit="%"),
    "service_time_ms": Look(
        group="Load",
        label="Service time per request",
        unit="ms",
        used_by="Capacity needs this: busy time, not waiting",
    ),
    "concurrency_per_replica": Look(group="Load", label="Requests at once per replica", unit="req"),
    "concurrent_users": Look(group="Load", label="Concurrent users", unit="users"),
    "replicas": Look(
        group="Load", label="Replicas now", unit="units", used_by="If the code doesn't say"
    ),
    "average_utilisation_percent": Look(group="Load", label="Average CPU utilization", unit="%"),
    "data_gb": Look(group="Load", label="Data size", unit="GB"),
    "egress_gb_month": Look(group="Load", label="Egress per month", unit="GB"),
    "uptime_target_percent": Look(
        group="Targets", label="Uptime target", unit="%", example="e.g. 99.9"
    ),
    "latency_p95_target_ms": Look(
        group="Targets", label="Latency target, 95th percentile", unit="ms"
    ),
    "rto_minutes": Look(group="Targets", label="Recovery time (RTO)", unit="min"),
    "rpo_minutes": Look(group="Targets", label="Recovery point (RPO)", unit="min"),
    "monthly_budget_usd": Look(group="Targets", label="Monthly budget", unit="USD"),
    "monthly_carbon_budget_kg": Look(group="Targets", label="Monthly carbon budget", unit="kgCO2e"),
    "disaster_recovery": Look(group="Targets", label="Disaster recovery"),
    "frameworks": Look(
        group="Compliance", label="Compliance frameworks", used_by="Compliance answers for these"
    ),
}

WORDS = {
    "aws": "AWS",
    "gcp": "Google Cloud",
    "api": "API",
    "cis": "CIS",
    "pci_dss": "PCI DSS",
    "hipaa": "HIPAA",
    "soc2": "SOC 2",
    "iso27001": "ISO 27001",
    "gdpr": "GDPR",
    "nist_800_53": "NIST 800-53",
    "multi_site": "Multi-site",
    "on_premises": "On premises",
}


READINESS = (
    ("Security", "files", "from the files"),
    ("Compliance", "files", "from the files, for the frameworks chosen"),
    ("Reliability", "files uptime_target_percent", "files, or an uptime target"),
    ("Capacity", "rps_now|rps_peak&service_time_ms", "needs requests per second and service time"),
    ("Cost", "files", "from the files, by region and traffic"),
    ("Operations", "files", "from the files"),
    ("Sustainability", "files", "from the files, by region"),
)
"""What each agent needs at least: any of the words, where ``a|b&c`` means (a or b) and c."""


class RequirementsForm(forms.Form):
    """The fields of ``Requirements``, all optional. ``requirements`` holds the result once the form
    is valid."""

    requirements: Requirements
    names: tuple[str, ...] = tuple(LOOKS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.names:
            look = LOOKS[name]
            self.fields[name] = _form_field(Requirements.model_fields[name].annotation, look)

    @property
    def groups(self) -> Iterator[tuple[str, list[tuple[forms.BoundField, Look]]]]:
        for group in dict.fromkeys(look.group for look in LOOKS.values()):
            yield group, [(self[name], look) for name, look in LOOKS.items() if look.group == group]

    def clean(self) -> dict[str, Any]:
        given = {
            name: self.cleaned_data[name]
            for name in self.names
            if self.cleaned_data.get(name) not in (None, "", [])
        }
        try:
            self.requirements = Requirements.model_validate(given)
        except ValidationError as error:
            for problem in error.errors():
                name = str(problem["loc"][0])
                self.add_error(
                    name, _in_words(problem["type"], problem.get("ctx", {}), LOOKS[name])
                )
        return self.cleaned_data

    @classmethod
    def of(cls, requirements: Requirements) -> RequirementsForm:
        """Unbound, filled with what is stated."""
        stated = requirements.model_dump(mode="json", exclude_none=True)
        return cls(initial={**stated, "regions": ", ".join(requirements.regions)})


class CommaSeparatedField(forms.CharField):
    def to_python(self, value: Any) -> Any:
        return [
            item.strip() for item in (super().to_python(value) or "").split(",") if item.strip()
        ]


class AssumptionsForm(RequirementsForm):
    """What cost and carbon assume of the usage. ``scopes`` are the keys and labels of a run's
    scopes: where there are several, one of them has the traffic and the budgets."""

    names = (
        "regions",
        "egress_gb_month",
        "monthly_budget_usd",
        "monthly_carbon_budget_kg",
        "average_utilisation_percent",
        "scope",
    )

    def __init__(self, *args: Any, scopes: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(scopes) < 2:
            del self.fields["scope"]
            return
        self.fields["scope"] = forms.ChoiceField(
            label="Scope that traffic and budgets describe",
            choices=[("", "Not stated"), *scopes],
            required=False,
            widget=forms.Select(attrs={"class": "in"}),
        )

    @property
    def rows(self) -> Iterator[tuple[forms.BoundField, str]]:
        """The fields with their units."""
        return ((self[name], LOOKS[name].unit) for name in self.fields)

    def merged(self, stated: Requirements, *, usage: list[dict[str, Any]]) -> Requirements:
        """``stated`` with the form's fields and the usage replaced."""
        kept = stated.model_dump(mode="json", exclude_defaults=True)
        given = self.requirements.model_dump(mode="json", exclude_defaults=True)
        others = {name: value for name, value in kept.items() if name not in self.fields}
        return Requirements.model_validate({**others, **given, "usage": usage})


class UsageForm(forms.Form):
    """How much is used of what is billed by use. ``asked`` are rows of the cost agent's table, each
    with ``key``, its scope's; what is left empty is unknown."""

    def __init__(
        self, data: Any = None, *, asked: Sequence[Mapping[str, Any]], stated: Sequence[Usage]
    ) -> None:
        super().__init__(data)
        self._asked, self._stated = asked, stated
        for number, row in enumerate(asked):
            own = [each for each in stated if _is_about(each, row)]
            self.fields[f"usage-{number}"] = forms.FloatField(
                label=f"{row['resource']}: {row['what']}",
                min_value=0,
                max_value=MAX_AMOUNT,
                required=False,
                initial=f"{own[-1].amount:.15g}" if own else None,
                widget=forms.NumberInput(
                    attrs={
                        "class": "in",
                        "step": "any",
                        "form": "assumptions-form",
                        "aria-label": f"{row['resource']}: {row['what']}",
                    }
                ),
            )

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Each with its ``fields``: the row and the field of each amount."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for number, row in enumerate(self._asked):
            name = {"resource": row["resource"], "scope": row["scope"], "fields": []}
            group = found.setdefault((row["scope"], row["resource"]), name)
            group["fields"].append((row, self[f"usage-{number}"]))
        return list(found.values())

    @property
    def usage(self) -> list[dict[str, Any]]:
        """What is stated now: of these rows, and of others as before."""
        kept = [
            each.model_dump(mode="json")
            for each in self._stated
            if not any(_is_about(each, row) for row in self._asked)
        ]
        given = [
            {
                "scope": row["key"],
                "resource": row["resource"],
                "measure": row["measure"],
                "amount": amount,
            }
            for number, row in enumerate(self._asked)
            if (amount := self.cleaned_data.get(f"usage-{number}")) is not None
        ]
        return [*kept, *given]


def _is_about(usage: Usage, row: Mapping[str, Any]) -> bool:
    same = (usage.resource, usage.measure.value) == (row["resource"], row["measure"])
    return same and usage.scope in ("", row["key"], row["scope"])


class NameForm(forms.Form):
    """What an assessment is called, and its tags."""

    name = forms.CharField(
        max_length=120, widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"})
    )
    tags = CommaSeparatedField(
        required=False,
        max_length=400,
        help_text=f"At most {MAX_TAGS}, separated by commas",
        widget=forms.TextInput(attrs={"class": "in", "placeholder": "production, team-a"}),
    )

    def clean_tags(self) -> list[str]:
        tags = list(dict.fromkeys(" ".join(tag.split()) for tag in self.cleaned_data["tags"]))
        is_long = len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARS for tag in tags)
        if is_long or not all(tag.isprintable() for tag in tags):
            raise forms.ValidationError(
                f"Enter at most {MAX_TAGS} tags of at most {MAX_TAG_CHARS} characters."
            )
        return tags


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files; cleans to a list."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        return [super(FilesField, self).clean(one, initial) for one in data or []]


class UploadForm(forms.Form):
    """Files by upload or by pasting. ``paths`` is the page's JSON list of the files' paths in
    order: browsers send a file's bare name alone."""

    upload = FilesField(required=False, widget=FilesInput(attrs={"class": "in"}))
    paths = forms.JSONField(required=False, widget=forms.HiddenInput)
    paste = forms.CharField(
        label="Text",
        required=False,
        strip=False,
        max_length=PASTED_MAX_CHARS,
        widget=forms.Textarea(attrs={"class": "in paste", "rows": 8, "spellcheck": "false"}),
    )
    paste_name = forms.CharField(
        label="File name",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"class": "in", "placeholder": "e.g. main.tf"}),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean_paths(self) -> list[str]:
        paths = self.cleaned_data["paths"] or []
        is_list = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
        if not is_list or (paths and len(paths) != len(self.cleaned_data.get("upload") or [])):
            raise forms.ValidationError("The list of files is incomplete. Add the files again.")
        return paths

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("paste", "").strip() and not cleaned.get("paste_name"):
            self.add_error(
                "paste_name", "Give the pasted text a file name; the extension shows its type."
            )
        return cleaned

    @property
    def chosen(self) -> list[str]:
        """Names of the files that were sent: a page can't put them back into the form."""
        files = self.files.getlist("upload") if self.is_bound else []
        return [file.name or "" for file in files]

    def uploads(self) -> Iterator[tuple[str, bytes]]:
        """(path, content) of all that was added, one at a time."""
        files: Sequence[UploadedFile[bytes]] = self.cleaned_data["upload"]
        for path, file in zip(self.upload_paths, files, strict=True):
            yield path, file.read()
        if self.cleaned_data["paste"].strip():
            yield self.cleaned_data["paste_name"], self.cleaned_data["paste"].encode()

    @property
    def upload_paths(self) -> list[str]:
        files: Sequence[UploadedFile[bytes]] = self.cleaned_data["upload"]
        return self.cleaned_data["paths"] or [file.name or "" for file in files]


class NewAssessmentForm(UploadForm, RequirementsForm):
    """Files, and the workload. ``same_name`` says what to do where the person has an assessment of
    this name already; it is asked for only then."""

    VERSION, ANOTHER = "version", "another"

    name = forms.CharField(
        max_length=120, required=False, widget=forms.TextInput(attrs={"class": "in"})
    )
    same_name = forms.ChoiceField(
        label="Name",
        required=False,
        choices=[
            (VERSION, "Add as a new version of it, and compare the runs"),
            (ANOTHER, "Create another assessment with this name"),
        ],
        widget=forms.RadioSelect,
    )

    @property
    def assessment_name(self) -> str:
        """As given, else after the folder, archive or file that was added."""
        return (
            self.cleaned_data["name"].strip()
            or _name_after([*self.upload_paths, self.cleaned_data["paste_name"]])
        )[:120]

    def existing(self, owner: Any) -> Assessment | None:
        """The owner's newest assessment of this name; None where another one is wanted. Adds an
        error that asks where nothing was chosen yet."""
        if self.cleaned_data["same_name"] == self.ANOTHER:
            return None
        mine = Assessment.objects.visible_to(owner).filter(name=self.assessment_name)
        found = mine.order_by("-pk").first()
        if found and not self.cleaned_data["same_name"]:
            self.add_error("same_name", f"You already have an assessment named “{found}”.")
        return found

    def change(self) -> Change | None:
        """The files as a version of an existing assessment; None without any. Raises
        UploadError."""
        has_files = self.cleaned_data["upload"] or self.cleaned_data["paste"].strip()
        return Change.of(self.uploads()) if has_files else None


class NewVersionForm(UploadForm):
    """Files that replace or change those of the newest version. ``remove`` lists paths, one a
    line."""

    mode = forms.ChoiceField(
        choices=[
            (Mode.CHANGE.value, "Change the files: add these, overwrite those with the same path"),
            (Mode.REPLACE.value, "Replace all files with these"),
        ],
        initial=Mode.CHANGE.value,
        widget=forms.RadioSelect,
    )
    remove = forms.CharField(
        label="Paths to remove",
        required=False,
        max_length=PASTED_MAX_CHARS,
        widget=forms.Textarea(attrs={"class": "in paste", "rows": 3, "spellcheck": "false"}),
    )

    def change(self) -> Change:
        """Raises UploadError."""
        lines = self.cleaned_data["remove"].splitlines()
        return Change.of(
            self.uploads(),
            mode=Mode(self.cleaned_data["mode"]),
            remove=[line.strip() for line in lines if line.strip()],
        )


def assessment_of(form: NewAssessmentForm, *, owner: Any) -> Assessment:
    """Store what a valid form holds. Raises UploadError."""
    return create_assessment(
        owner=owner,
        name=form.assessment_name,
        requirements=form.requirements,
        uploads=form.uploads(),
    )


def _name_after(paths: list[str]) -> str:
    named = [path.strip("/") for path in paths if path]
    if not named:
        return "Questionnaire"
    tops = {PurePosixPath(path).parts[0] for path in named if PurePosixPath(path).parts}
    if len(tops) != 1:
        return f"{PurePosixPath(named[0]).name} and {len(named) - 1} more"
    top = tops.pop()
    suffix = next((ending for ending in ARCHIVE_SUFFIXES if top.endswith(ending)), "")
    return top.removesuffix(suffix) or top


def _form_field(annotation: Any, look: Look) -> forms.Field:
    """The form field of a schema's type. A bound is checked by the schema, so that it is written
    once."""
    kind = _without_none(annotation)
    attrs = {"class": "in", "placeholder": look.example}
    shared: dict[str, Any] = {"label": look.label, "help_text": look.used_by, "required": False}
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        if isinstance(item, type) and issubclass(item, StrEnum):
            return forms.MultipleChoiceField(
                choices=_choices(item), widget=forms.CheckboxSelectMultiple, **shared
            )
        return CommaSeparatedField(widget=forms.TextInput(attrs=attrs), **shared)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        choices = [("", "Not stated"), *_choices(kind)]
        return forms.ChoiceField(
            choices=choices, widget=forms.Select(attrs={"class": "in"}), **shared
        )
    if kind is str:
        return forms.CharField(widget=forms.TextInput(attrs=attrs), **shared)
    widget = forms.TextInput(attrs={**attrs, "inputmode": "decimal"})
    number = forms.IntegerField if kind is int else forms.FloatField
    return number(
        widget=widget, error_messages={"invalid": _number_words(look, whole=kind is int)}, **shared
    )


def _without_none(annotation: Any) -> Any:
    """The type inside ``X | None`` and ``Annotated[X, ...]``."""
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in {types.UnionType, Union}:
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation


def _choices(kind: type[StrEnum]) -> list[tuple[str, str]]:
    return [(each.value, word_of(each.value)) for each in kind]


def word_of(value: str) -> str:
    return WORDS.get(value) or value.replace("_", " ").capitalize()


def _number_words(look: Look, *, whole: bool) -> str:
    return f"Enter a {'whole ' if whole else ''}number{f', in {look.unit}' if look.unit else ''}."


def _in_words(kind: str, bounds: dict[str, Any], look: Look) -> str:
    """A schema's refusal as a sentence that says what to enter."""
    unit = f" {look.unit}" if look.unit else ""
    match kind:
        case "greater_than":
            return f"Enter more than {bounds['gt']:g}{unit}."
        case "greater_than_equal":
            return f"Enter {bounds['ge']:g}{unit} or more."
        case "less_than":
            return f"Enter less than {bounds['lt']:g}{unit}."
        case "less_than_equal":
            return f"Enter at most {bounds['le']:,.0f}{unit}."
        case "too_long":
            return f"Enter at most {bounds['max_length']}."
        case "string_too_long" if look.label == "Scope":
            return f"Enter at most {bounds['max_length']} characters."
        case "string_pattern_mismatch" | "string_too_long":
            return "Enter region names such as eu-central-1, separated by commas."
    return _number_words(look, whole=False)
