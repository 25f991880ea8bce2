import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assessments", "0019_tags_and_verification")]

    operations = [
        migrations.CreateModel(
            name="MaskedSource",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="source",
                        serialize=False,
                        to="assessments.assessmentrun",
                    ),
                ),
                ("paths", models.JSONField(default=list)),
                ("lines", models.JSONField(default=dict)),
            ],
        ),
    ]
