"""Apart from the rows' changes: PostgreSQL builds no index on a table with pending events."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assessments", "0016_finding_facets")]

    operations = [
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(fields=["run", column], name=f"finding_run_{column}"),
        )
        for column in ("problem", "resource", "scope", "agent")
    ]
