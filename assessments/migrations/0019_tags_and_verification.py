import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assessments", "0018_asks_all")]

    operations = [
        migrations.AddField(
            model_name="assessment",
            name="tags",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="recommendation",
            name="verified_in",
            field=models.ForeignKey(
                help_text="The later run that no longer finds the problem",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="assessments.assessmentrun",
            ),
        ),
    ]
