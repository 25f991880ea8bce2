from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks_ui", "0003_dashboard_indexes")]

    operations = [migrations.RemoveField(model_name="taskrun", name="priority")]
