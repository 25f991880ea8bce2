from django.apps import AppConfig


class TasksUiConfig(AppConfig):
    name = "tasks_ui"
    verbose_name = "Tasks"

    def ready(self) -> None:
        from tasks_ui import access, workers  # noqa: F401  (access connects the signals that end subscriptions)

        workers.watch()
