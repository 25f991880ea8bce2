import os

from celery import Celery

from tasks_ui.setup.celery import prepare_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailroom.settings")
app = Celery("mailroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
prepare_celery(app)
