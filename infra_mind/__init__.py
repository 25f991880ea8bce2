"""The wiring: settings, Celery, ASGI, URLs and the embedded servers."""

from .celery import app as celery_app

__all__ = ["celery_app"]
