"""An app whose task is a coroutine, which Celery would never await."""
