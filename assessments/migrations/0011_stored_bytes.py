from django.db import migrations, models

SUM_SIZES = """
    UPDATE assessments_assessment SET stored_bytes = files.size
    FROM (SELECT assessment_id, sum(size) AS size FROM assessments_sourcefile GROUP BY 1) files
    WHERE files.assessment_id = assessments_assessment.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assessments", "0010_proven_fixes"),
    ]

    operations = [
        migrations.AddField(
            model_name="assessment",
            name="stored_bytes",
            field=models.BigIntegerField(default=0, help_text="The sum of its files' sizes"),
        ),
        migrations.RunSQL(SUM_SIZES, migrations.RunSQL.noop),
    ]
