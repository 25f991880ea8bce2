from django.apps import AppConfig


class TasksUiConfig(AppConfig):
    name = "tasks_ui"
    verbose_name = "Tasks"

    def ready(self) -> None:
        from tasks_ui.setup import defaults

        defaults.fill_in()  # before anything reads a setting

        from tasks_ui.runs import calls  # noqa: F401  (registers its kind)
        from tasks_ui.worker import connections, seen

        connections.watch()
        seen.watch()
