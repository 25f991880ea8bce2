"""An assessment, its files, and the results of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone
from uuid_utils.compat import uuid7

from assessments.agents.types import AgentStatus, Severity, SeverityOrigin
from assessments.requirements import Requirements
from assessments.scan.types import FileKind
from tasks_ui.models import TaskRun
from tasks_ui.models.querysets import OwnedQuerySet

if TYPE_CHECKING:
    from tasks_ui.runs.fields import Subject


class AssessmentQuerySet(OwnedQuerySet["Assessment"]):
    pass


class Assessment(models.Model):
    """A workload by name: its files, in versions, and its requirements."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="assessments")
    name = models.CharField(max_length=120)
    requirements = models.JSONField(default=dict, blank=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  (NULL is not unique)
    tags = models.JSONField(default=list, blank=True)
    stored_bytes = models.BigIntegerField(
        default=0, help_text="Of its versions' files, each content once"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = AssessmentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="one_assessment_per_idempotency_key"
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"], name="assessment_owner")]

    def __str__(self) -> str:
        return self.name

    @property
    def stated(self) -> Requirements:
        return Requirements.model_validate(self.requirements)

    @property
    def newest_version(self) -> Version:
        """There is always one, possibly without files."""
        return self.versions.order_by("-number")[0]


class BlobQuerySet(OwnedQuerySet["Blob"]):
    pass


class Blob(models.Model):
    """The content of a file, stored once per owner, however many versions contain it.

    ``sha256`` is the hex digest of ``content``; ``size`` is in bytes. A blob is deleted with the
    last version that contains it (``versions.free``).
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    content = models.BinaryField()

    objects = BlobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "sha256"], include=["size"], name="one_blob_per_content"
            )
        ]

    def __str__(self) -> str:
        return self.sha256


class VersionQuerySet(OwnedQuerySet["Version"]):
    owner_id = "assessment__owner_id"


class Version(models.Model):
    """An immutable set of files of an assessment; ``number`` counts 1, 2, 3 ... within it.

    ``files_dropped_at``: when its files were deleted (``VERSIONS_KEPT``); the results of its runs
    stay.
    """

    class Source(models.TextChoices):
        UPLOAD = "upload"
        EDIT = "edit"
        API = "api"
        SAMPLE = "sample"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    assessment = models.ForeignKey(Assessment, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.CharField(max_length=10, choices=Source, default=Source.UPLOAD)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    file_count = models.PositiveIntegerField(default=0)
    files_dropped_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  (NULL is not unique)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.UniqueConstraint(fields=["assessment", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["assessment", "idempotency_key"], name="one_version_per_idempotency_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.assessment} version {self.number}"


class VersionFileQuerySet(OwnedQuerySet["VersionFile"]):
    owner_id = "version__assessment__owner_id"


class VersionFile(models.Model):
    """One file of a version as it was uploaded. ``path`` is relative, with forward slashes, and
    stays within the upload; ``kind`` is as the version's first run determined it."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="files")
    path = models.CharField(max_length=512)
    kind = models.CharField(
        max_length=20, choices=[(k.value, k.value) for k in FileKind], default=FileKind.UNKNOWN
    )
    blob = models.ForeignKey(  # a blob in use can't be deleted: the database refuses
        Blob, models.DO_NOTHING, related_name="files"
    )

    objects = VersionFileQuerySet.as_manager()

    class Meta:
        ordering = ("path",)
        constraints = [
            models.UniqueConstraint(fields=["version", "path"], name="one_version_file_per_path")
        ]

    def __str__(self) -> str:
        return self.path


class AssessmentRunQuerySet(OwnedQuerySet["AssessmentRun"]):
    owner_id = "assessment__owner_id"


class AssessmentRun(models.Model):
    """One pass over an assessment: ``number`` counts 1, 2, 3 ... within it.

    It outlives its task, whose row and events are pruned. ``recommending``: all findings are there,
    the recommendations are being written; ``completed`` comes with them. ``scopes`` are the
    deployable units found in the upload (``scan.types.Scope`` without its paths, with their
    number); ``attention`` holds the reasons why the answer is not whole (``attention.Reason``).
    ``summary`` holds what synthesis settled:
    scores by agent, counts by severity, resources, coverage, data vintages and the comparison with
    the run before.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        RECOMMENDING = "recommending"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    assessment = models.ForeignKey(Assessment, models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    version = models.ForeignKey(
        Version, models.CASCADE, related_name="runs", help_text="The files that it reads"
    )
    task = models.OneToOneField(TaskRun, models.SET_NULL, null=True, related_name="assessment_run")
    completes = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The run whose scan and answers are taken over: its failed agents are asked",
    )
    asks_all = models.BooleanField(
        default=False, help_text="Of the run that it completes only the scan is taken over"
    )
    requirements = models.JSONField(default=dict)
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    summary = models.JSONField(default=dict)
    coverage = models.JSONField(default=list)
    resources = models.JSONField(default=list)
    scopes = models.JSONField(default=list)
    attention = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = AssessmentRunQuerySet.as_manager()

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.UniqueConstraint(fields=["assessment", "number"], name="one_run_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.assessment} run {self.number}"


class ScanShardQuerySet(OwnedQuerySet["ScanShard"]):
    owner_id = "run__assessment__owner_id"


class ScanShard(models.Model):
    """One engine's share of a run's files (``spec``: a ``scan.shards.Shard`` as JSON) and its
    results.

    ``output`` (a ``ShardOutput`` as deflated JSON) lasts until it is merged into the run's
    ``MergedScan``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(AssessmentRun, models.CASCADE, related_name="shards")
    engine = models.CharField(max_length=20)
    label = models.CharField(max_length=200)
    weight = models.PositiveIntegerField(
        help_text="Expected milliseconds: the shard's part of the scan's progress"
    )
    spec = models.JSONField()
    output = models.BinaryField(null=True)
    checks = models.PositiveIntegerField(null=True)
    failed = models.PositiveIntegerField(null=True, help_text="Of the checks")
    worst = models.JSONField(
        default=list, help_text="Some failed checks, as the page shows them during the run"
    )
    resources = models.PositiveIntegerField(null=True)
    sandbox = models.CharField(
        max_length=10, blank=True, help_text="Level of confinement that its engine ran at"
    )

    objects = ScanShardQuerySet.as_manager()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.label} ({self.engine})"


class MergedScanQuerySet(OwnedQuerySet["MergedScan"]):
    owner_id = "run__assessment__owner_id"


class MergedScan(models.Model):
    """A run's whole scan as the agents read it, secrets masked.

    Each column is a ``scan.merge.ScanResult`` with that part alone, as deflated JSON; ``about``
    holds scopes, coverage and engines. ``diagram`` is the run's map without findings
    (``diagram.types.Diagram``), None for runs from before there was one.
    """

    run = models.OneToOneField(AssessmentRun, models.CASCADE, primary_key=True, related_name="scan")
    checks = models.BinaryField()
    resources = models.BinaryField()
    about = models.BinaryField()
    diagram = models.BinaryField(null=True)

    objects = MergedScanQuerySet.as_manager()

    def __str__(self) -> str:
        return f"scan of {self.run}"


class MaskedSourceQuerySet(OwnedQuerySet["MaskedSource"]):
    owner_id = "run__assessment__owner_id"


class MaskedSource(models.Model):
    """The masked lines that the code browser shows instead of lines with a secret: path, line,
    text.

    The other lines are read from the files. ``paths`` are the files that were masked; no others are
    shown.
    """

    run = models.OneToOneField(
        AssessmentRun, models.CASCADE, primary_key=True, related_name="source"
    )
    paths = models.JSONField(default=list)
    lines = models.JSONField(default=dict)

    objects = MaskedSourceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"source of {self.run}"


class AgentReportQuerySet(OwnedQuerySet["AgentReport"]):
    owner_id = "run__assessment__owner_id"


class AgentReport(models.Model):
    """One agent's answer in one run. ``status`` is empty until it has answered, "failed" if it
    could not."""

    FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(AssessmentRun, models.CASCADE, related_name="reports")
    agent = models.CharField(max_length=20)
    position = models.PositiveSmallIntegerField()
    status = models.CharField(
        max_length=12,
        blank=True,
        choices=[*((s.value, s.value) for s in AgentStatus), (FAILED, FAILED)],
    )
    reason = models.TextField(blank=True)
    missing = models.JSONField(default=list)
    score = models.PositiveSmallIntegerField(null=True)
    score_formula = models.TextField(blank=True)
    summary = models.TextField(blank=True)
    figures = models.JSONField(default=list)
    tables = models.JSONField(default=list)
    scopes = models.JSONField(
        default=list, help_text="An answer for each scope, where there are several"
    )
    gaps = models.JSONField(default=list, help_text="What it could not look at, in words")

    objects = AgentReportQuerySet.as_manager()

    class Meta:
        ordering = ("position",)
        constraints = [
            models.UniqueConstraint(fields=["run", "agent"], name="one_report_per_agent")
        ]

    def __str__(self) -> str:
        return f"{self.agent} of {self.run}"


class FindingQuerySet(OwnedQuerySet["Finding"]):
    owner_id = "run__assessment__owner_id"

    def counted(self) -> Self:
        """Each problem once: compliance repeats the other agents' findings, by requirement."""
        return self.exclude(agent="compliance")

    def muted(self) -> Self:
        """Findings that a mute of their assessment currently accepts."""
        return self.filter(_its_mute())

    def with_assignee(self) -> Self:
        """With ``assignee``: the person each is assigned to, or None."""
        assigned = FindingAssignment.objects.filter(
            assessment=OuterRef("run__assessment"), fingerprint=OuterRef("fingerprint")
        )
        return self.annotate(assignee=Subquery(assigned.values("assignee")[:1]))

    def with_mutes(self) -> Self:
        """With ``is_muted``."""
        return self.annotate(is_muted=_its_mute())

    def unmuted(self) -> Self:
        """Without currently muted findings. Scores still count them: a mute means "I know", not "it
        is fixed"."""
        return self.filter(~_its_mute())


class Finding(models.Model):
    """One problem. ``fingerprint`` stays the same from run to run, even if its lines move."""

    class Since(models.TextChoices):
        """Compared with the previous run; empty until synthesis has compared them, and in a first
        run. Reopened: not in the previous run, but in an earlier one."""

        NEW = "new"
        REOPENED = "reopened"
        PERSISTING = "persisting"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(AssessmentRun, models.CASCADE, related_name="findings")
    report = models.ForeignKey(AgentReport, models.CASCADE, related_name="findings")
    agent = models.CharField(max_length=20)
    scope = models.CharField(max_length=600, blank=True)
    rule = models.CharField(max_length=80)
    title = models.CharField(max_length=300)
    severity = models.PositiveSmallIntegerField(
        choices=[(s.value, s.name.title()) for s in Severity]
    )
    severity_origin = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in SeverityOrigin]
    )
    problem = models.CharField(
        max_length=200, blank=True, help_text="The same for all rules that see it: agents.problems"
    )
    resource = models.CharField(max_length=300, blank=True)
    file = models.CharField(max_length=512, blank=True)
    file_kind = models.CharField(
        max_length=20, blank=True, choices=[(k.value, k.value) for k in FileKind]
    )
    line_start = models.PositiveIntegerField(default=0)
    line_end = models.PositiveIntegerField(default=0)
    detail = models.JSONField(
        default=dict, help_text="Expected, actual, why, remediation, evidence, frameworks ..."
    )
    monthly_saving_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    fingerprint = models.CharField(max_length=64)
    since = models.CharField(max_length=10, choices=Since, blank=True)
    is_exposed = models.BooleanField(
        default=False, help_text="Its resource can be reached from the internet"
    )

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ("-severity", "file", "line_start", "rule", "fingerprint")
        indexes = [
            models.Index(
                fields=["run", "-severity", "file", "line_start"], name="finding_run_severity"
            ),
            models.Index(fields=["run", "fingerprint"], name="finding_run_fingerprint"),
            models.Index(fields=["run", "problem"], name="finding_run_problem"),
            models.Index(fields=["run", "resource"], name="finding_run_resource"),
            models.Index(fields=["run", "scope"], name="finding_run_scope"),
            models.Index(fields=["run", "agent"], name="finding_run_agent"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def evidence(self) -> dict[str, Any] | None:
        """The line that shows the problem: ``file``, ``line`` and ``text``, which is what it says
        (``publicly_accessible = true``) or lacks (``http_tokens is not set``). None where the
        finding is about no line."""
        line = self.detail.get("line") or self.line_start
        if not (self.file and line):
            return None
        return {"file": self.file, "line": line, "text": self.detail.get("shown", "")}

    @property
    def place(self) -> str:
        """``file:line``, or the resource if there is no file."""
        return (
            f"{self.file}:{self.line_start}"
            if self.file and self.line_start
            else self.file or self.resource
        )


def _its_mute() -> Exists:
    """Whether a current mute accepts the finding of the outer query."""
    mutes = FindingMute.objects.in_force()
    return Exists(
        mutes.filter(assessment=OuterRef("run__assessment"), fingerprint=OuterRef("fingerprint"))
    )


class FindingMuteQuerySet(OwnedQuerySet["FindingMute"]):
    owner_id = "assessment__owner_id"

    def in_force(self) -> Self:
        """Current mutes. An expired mute is kept, as a record, until it is lifted or renewed."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


class FindingMute(models.Model):
    """A finding that its owner accepts, in all runs of the assessment, until ``expires_at`` (None:
    until lifted)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    assessment = models.ForeignKey(Assessment, models.CASCADE, related_name="mutes")
    fingerprint = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    expires_at = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = FindingMuteQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["assessment", "fingerprint"], name="one_mute_per_finding"
            )
        ]

    def __str__(self) -> str:
        return self.reason


class FindingAssignmentQuerySet(OwnedQuerySet["FindingAssignment"]):
    owner_id = "assessment__owner_id"


class FindingAssignment(models.Model):
    """Who a finding is assigned to, in all runs of the assessment.

    ``assignee`` is a name or a mail address in the owner's words. It gives nobody access: an
    assessment is its owner's alone, and who fixes infrastructure often has no account here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    assessment = models.ForeignKey(Assessment, models.CASCADE, related_name="assignments")
    fingerprint = models.CharField(max_length=64)
    assignee = models.CharField(max_length=120)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = FindingAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["assessment", "fingerprint"], name="one_assignment_per_finding"
            )
        ]

    def __str__(self) -> str:
        return self.assignee


class RecommendationQuerySet(OwnedQuerySet["Recommendation"]):
    owner_id = "run__assessment__owner_id"


class Recommendation(models.Model):
    """One problem to solve, with the findings that this resolves. ``priority`` 1 comes first.

    ``problem`` is the same in every run and assessment (``agents.problems``); ``reach`` is the
    number of places. The order, and what effort means, is in ``recommending``.
    """

    class Effort(models.TextChoices):
        SMALL = "small"
        MEDIUM = "medium"
        LARGE = "large"

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        DONE = "done"
        DISMISSED = "dismissed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(AssessmentRun, models.CASCADE, related_name="recommendations")
    priority = models.PositiveSmallIntegerField()
    problem = models.CharField(max_length=200, blank=True, db_index=True)
    severity = models.PositiveSmallIntegerField(default=0)
    is_exposed = models.BooleanField(default=False)
    reach = models.PositiveIntegerField(default=1)
    agent = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    why = models.TextField()
    steps = models.JSONField(default=list)
    effort = models.CharField(max_length=6, choices=Effort)
    impact = models.JSONField(
        default=dict, help_text="The inputs of the order in words, counts by severity, rules"
    )
    monthly_saving_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    fix = models.JSONField(
        default=dict,
        help_text="A proven patch: see fixing.Fix. Empty without one; ``untried`` says why",
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    verified_in = models.ForeignKey(
        AssessmentRun,
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The later run that no longer finds the problem",
    )
    findings = models.ManyToManyField(Finding, related_name="recommendations")

    objects = RecommendationQuerySet.as_manager()

    class Meta:
        ordering = ("priority",)

    def __str__(self) -> str:
        return self.title

    def fixes(self, finding: Finding) -> bool:
        """Whether the proven fix removes ``finding``."""
        return str(finding.pk) in self.fix.get("findings", [])


class ReportQuerySet(OwnedQuerySet["Report"]):
    owner_id = "run__assessment__owner_id"


class Report(models.Model):
    """A document made of one run. ``content`` is empty until its task has written it."""

    class Kind(models.TextChoices):
        EXECUTIVE = "executive"
        TECHNICAL = "technical"
        COMPLIANCE = "compliance"
        COST = "cost"
        FULL = "full"

    class Format(models.TextChoices):
        HTML = "html", "HTML"
        PDF = "pdf", "PDF"
        MARKDOWN = "markdown", "Markdown"
        JSON = "json", "JSON"
        SARIF = "sarif", "SARIF"
        CSV = "csv", "CSV"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(AssessmentRun, models.CASCADE, related_name="documents")
    task = models.OneToOneField(TaskRun, models.SET_NULL, null=True, related_name="document")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TECHNICAL)
    format = models.CharField(max_length=8, choices=Format, default=Format.HTML)
    scope = models.CharField(
        max_length=600, blank=True, help_text="Key of the one scope that it is about; empty: all"
    )
    content = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.kind} report of {self.run}"

    @property
    def file_name(self) -> str:
        """``shop-run-3-technical.html``, of ASCII letters, digits and ``-_.`` alone. Reads the run
        and its assessment."""
        of_scope = f"-{self.scope[:60].replace('/', '-')}" if self.scope else ""
        words = f"{self.run}-{self.kind}{of_scope}".replace(" ", "-")
        safe = "".join(c for c in words if c.isascii() and (c.isalnum() or c in "-_."))
        return f"{safe}.{'md' if self.format == self.Format.MARKDOWN else self.format}"

    @property
    def without_names(self) -> str:
        """For the audit log, which outlives the assessment and must not name it. Reads the run."""
        return f"{self.kind} {self.format} report {self.pk} of assessment {self.run.assessment_id}"


class PriceBookQuerySet(OwnedQuerySet["PriceBook"]):
    pass


class PriceBook(models.Model):
    """A person's own prices and discounts, which go before list prices in all their assessments.

    ``content`` is the file as it was uploaded, read again by ``agents.price_book``; empty once it
    was deleted, so that it is known since when costs are without it.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="price_book"
    )
    name = models.CharField(max_length=120, blank=True)
    content = models.TextField(blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = PriceBookQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


def subject_of(model: models.Model) -> Subject:
    """The fields by which a ``TaskRun`` names its object."""
    return {"subject_type": ContentType.objects.get_for_model(model), "subject_id": model.pk}
