from django.apps import AppConfig
from django.core import checks


class AssessmentsConfig(AppConfig):
    name = "assessments"

    def ready(self) -> None:
        from assessments.checks import check_own_rules, check_price_files
        from assessments.registration import register_kinds
        from assessments.sandbox_level import sandbox_level
        from assessments.vocabulary import register_vocabulary
        from tasks_ui.runs import workers

        checks.register(check_own_rules)
        checks.register(check_price_files)
        register_kinds()
        register_vocabulary()
        workers.tell("Sandbox", sandbox_level)
