import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assessments", "0013_files_of_versions")]

    operations = [
        migrations.AlterField(
            model_name="assessmentrun",
            name="version",
            field=models.ForeignKey(
                help_text="The files that it reads",
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="assessments.version",
            ),
        ),
        migrations.DeleteModel(name="SourceFile"),
    ]
