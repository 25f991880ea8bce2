from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("tasks_ui", "0004_drop_priority")]

    operations = [
        migrations.RemoveIndex(model_name="taskrun", name="run_waiting"),
        migrations.AddIndex(
            model_name="taskrun",
            index=models.Index(
                models.F("owner"),
                models.F("queue"),
                Coalesce("parent_id", "id"),
                models.F("id"),
                condition=models.Q(state__in=["PENDING", "RETRY"], rung_at__isnull=True),
                name="run_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="taskrun",
            index=models.Index(
                fields=["owner", "queue"],
                condition=models.Q(state__in=["PENDING", "RETRY"], rung_at__isnull=False),
                name="run_sent",
            ),
        ),
    ]
