import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

import assessments.scan.types

KINDS = (
    "terraform",
    "terraform_vars",
    "terraform_plan",
    "cloudformation",
    "kubernetes",
    "compose",
    "dockerfile",
    "github_actions",
    "unknown",
)


class Migration(migrations.Migration):
    """The tables; 0013 moves the files into them, 0014 drops the old one."""

    dependencies = [
        ("assessments", "0011_stored_bytes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Blob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("upload", "Upload"),
                            ("edit", "Edit"),
                            ("api", "Api"),
                            ("sample", "Sample"),
                        ],
                        default="upload",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("file_count", models.PositiveIntegerField(default=0)),
                ("files_dropped_at", models.DateTimeField(null=True)),
                ("idempotency_key", models.CharField(blank=True, max_length=200, null=True)),
                (
                    "assessment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="assessments.assessment",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-number",)},
        ),
        migrations.CreateModel(
            name="VersionFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("path", models.CharField(max_length=512)),
                (
                    "kind",
                    models.CharField(
                        choices=[(kind, kind) for kind in KINDS],
                        default=assessments.scan.types.FileKind["UNKNOWN"],
                        max_length=20,
                    ),
                ),
                (
                    "blob",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="files",
                        to="assessments.blob",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="assessments.version",
                    ),
                ),
            ],
            options={"ordering": ("path",)},
        ),
        migrations.AddConstraint(
            model_name="blob",
            constraint=models.UniqueConstraint(
                fields=("owner", "sha256"), include=("size",), name="one_blob_per_content"
            ),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.UniqueConstraint(
                fields=("assessment", "number"), name="one_version_per_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.UniqueConstraint(
                fields=("assessment", "idempotency_key"), name="one_version_per_idempotency_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="versionfile",
            constraint=models.UniqueConstraint(
                fields=("version", "path"), name="one_version_file_per_path"
            ),
        ),
        migrations.AddField(
            model_name="assessmentrun",
            name="version",
            field=models.ForeignKey(
                null=True,
                help_text="The files that it reads",
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="assessments.version",
            ),
        ),
        migrations.AlterField(
            model_name="assessment",
            name="stored_bytes",
            field=models.BigIntegerField(
                default=0, help_text="Of its versions' files, each content once"
            ),
        ),
    ]
