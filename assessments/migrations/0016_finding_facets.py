import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from uuid_utils.compat import uuid7

from assessments.agents.problems import problem_key
from assessments.scan.types import FileKind

KINDS_OF_FILES = """
    UPDATE assessments_finding SET file_kind = read.kind
    FROM (
        SELECT run.id, file ->> 'path' AS path, file ->> 'kind' AS kind
        FROM assessments_assessmentrun run, jsonb_array_elements(run.coverage) file
    ) read
    WHERE assessments_finding.run_id = read.id AND assessments_finding.file = read.path
"""


def name_problems(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    findings = apps.get_model("assessments", "Finding").objects.order_by()
    for rule, title in findings.values_list("rule", "title").distinct():
        problem = problem_key(rule, title=title)[:200]
        findings.filter(rule=rule, title=title).update(problem=problem)


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("assessments", "0015_run_map"),
    ]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="problem",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The same for all rules that see it: agents.problems",
                max_length=200,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="finding",
            name="file_kind",
            field=models.CharField(
                blank=True,
                choices=[(kind.value, kind.value) for kind in FileKind],
                default="",
                max_length=20,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(KINDS_OF_FILES, migrations.RunSQL.noop),
        migrations.RunPython(name_problems, migrations.RunPython.noop),
        migrations.CreateModel(
            name="FindingAssignment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("fingerprint", models.CharField(max_length=64)),
                ("assignee", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "assessment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assignments",
                        to="assessments.assessment",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("assessment", "fingerprint"), name="one_assignment_per_finding"
                    )
                ],
            },
        ),
    ]
