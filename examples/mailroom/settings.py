"""An ordinary project: what tasks_ui needs is between the two marks, and in docs/tasks_ui.md."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "mailroom.urls"
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "letters",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_url.path.lstrip("/")),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        "HOST": _url.hostname,
        "PORT": _url.port,
    }
}
WEBHOOK_URL = os.environ.get("WEBHOOK_URL", "")  # where letters are delivered

# What tasks_ui needs begins here.
REDIS_URL = os.environ["REDIS_URL"]
INSTALLED_APPS += [
    "django.contrib.humanize",
    "channels",
    "django_celery_results",
    "django_htmx",
    "tasks_ui",
]
MIDDLEWARE += ["django_htmx.middleware.HtmxMiddleware", "tasks_ui.backend.owner_middleware"]
LOGIN_URL = "admin:login"
TASKS = {
    "default": {
        "BACKEND": "tasks_ui.backend.TrackedBackend",
        "QUEUES": ["default", "priority"],
        "OPTIONS": {"OWNER": "system"},  # who owns what is enqueued outside of a request
    }
}
TASKS_SITE_NAME = "Mailroom"
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "tasks_ui.worker.result_backend:TaskResultBackend"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }
}
# What tasks_ui needs ends here.
