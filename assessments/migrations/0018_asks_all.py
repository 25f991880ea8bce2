from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assessments", "0017_finding_indexes")]

    operations = [
        migrations.AddField(
            model_name="assessmentrun",
            name="asks_all",
            field=models.BooleanField(
                default=False, help_text="Of the run that it completes only the scan is taken over"
            ),
        ),
        migrations.AlterField(
            model_name="assessmentrun",
            name="completes",
            field=models.ForeignKey(
                help_text="The run whose scan and answers are taken over: its failed agents are asked",
                null=True,
                on_delete=models.deletion.SET_NULL,
                related_name="+",
                to="assessments.assessmentrun",
            ),
        ),
    ]
