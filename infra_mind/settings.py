"""All settings, in one file. Every environment variable is optional; README.md lists them.

Nothing here opens a connection or starts a process: the embedded servers' addresses are read from
the file that ``manage.py up`` wrote.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.csp import CSP
from kombu import Queue
from pythonjsonlogger.core import RESERVED_ATTRS

from infra_mind.embedded import connection_urls, local_secret_key
from infra_mind.hosts import is_loopback
from tasks_ui.runs.log_context import FIELDS

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """A variable, or the content of the file of that name in ``SECRETS_DIR``, or ``default``."""
    return os.environ.get(name) or _from_file(name) or default


def _from_file(name: str) -> str:
    """Where Kubernetes or Docker mounts secrets: no other program finds them in an environment."""
    folder = os.environ.get("SECRETS_DIR")
    try:
        return Path(folder, name).read_text().strip() if folder else ""
    except FileNotFoundError:
        return ""


def env_bool(name: str, default: bool) -> bool:
    return env(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def env_int(name: str, default: int) -> int:
    try:
        return int(env(name, str(default)))
    except ValueError:
        raise SystemExit(f"{name} must be a whole number, not {os.environ[name]!r}.") from None


def env_list(name: str, default: str) -> list[str]:
    return [item.strip() for item in env(name, default).split(",") if item.strip()]


def mailer(url: str) -> dict[str, Any]:
    """Django's settings of one mail server: ``smtp://user:password@host:587`` speaks TLS after
    STARTTLS, ``smtps://`` from the start, ``smtp+plain://`` never."""
    if not url:
        return {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(url)
    ports = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
    if parts.scheme not in ports or not parts.hostname:
        raise SystemExit("SMTP_URL must be smtp://, smtps:// or smtp+plain:// and a host.")
    options = {
        "host": parts.hostname,
        "port": parts.port or ports[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp",
        "use_ssl": parts.scheme == "smtps",
        "timeout": 10,
    }
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def oidc_apps() -> list[dict[str, Any]]:
    """The one OpenID Connect issuer that people may sign in with, if any."""
    if not OIDC_ISSUER:
        return []
    if not env("OIDC_CLIENT_ID"):
        raise SystemExit("OIDC_ISSUER needs OIDC_CLIENT_ID, and usually OIDC_CLIENT_SECRET.")
    app = {"provider_id": "oidc", "name": OIDC_NAME, "client_id": env("OIDC_CLIENT_ID")}
    secret = {"secret": env("OIDC_CLIENT_SECRET"), "settings": {"server_url": OIDC_ISSUER}}
    return [app | secret]


def version() -> str:
    """This release's version, from the only place that states it."""
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]
    return str(project["version"])


# The place and the process.

INFRA_MIND_HOME = Path(env("INFRA_MIND_HOME", str(BASE_DIR / ".infra_mind"))).resolve()
IS_WEB = env("INFRA_MIND_ROLE") == "web"  # set by asgi.py
EMBEDDED_DATABASE_URL, EMBEDDED_REDIS_URL = connection_urls(INFRA_MIND_HOME)
DATABASE_URL = env("DATABASE_URL", EMBEDDED_DATABASE_URL or "")
REDIS_URL = env("REDIS_URL", EMBEDDED_REDIS_URL or "")
IS_LOCAL = not env("DATABASE_URL")  # embedded servers, for one person on one machine

DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env("SECRET_KEY") or (local_secret_key(INFRA_MIND_HOME) if IS_LOCAL else "")
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS", "")  # earlier ones, still accepted
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", "")

# Django.

INSTALLED_APPS = [
    "infra_mind.admin_site.SiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "django_celery_results",
    "django_htmx",
    "infra_mind",
    "assessments",
    "accounts",
    "tasks_ui",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    *env_list("EXTRA_APPS", ""),  # apps with task kinds of their own
]

MIDDLEWARE = [
    "infra_mind.metrics.ProbesMiddleware",
    "infra_mind.access_log.AccessLogMiddleware",
    "tasks_ui.rest.methods.ApiMethodsMiddleware",
    "tasks_ui.rest.problems.ProblemMiddleware",
    "tasks_ui.rest.middleware.RefusedValuesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "infra_mind.headers.PrivateAnswersMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tasks_ui.backend.owner_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tasks_ui.rest.middleware.DatabaseOutageMiddleware",
    "accounts.middleware.RefusalMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.StaffTotpMiddleware",
    "tasks_ui.access.audit.AdminAuditMiddleware",
]

ROOT_URLCONF = "infra_mind.urls"
ASGI_APPLICATION = "infra_mind.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Accounts.

HOST = env("HOST", "127.0.0.1")
IS_LOOPBACK = is_loopback(HOST)  # nobody but this machine's users gets in
SIGN_UP = env_bool("SIGN_UP", IS_LOCAL and IS_LOOPBACK)  # for everyone, else by invitation
METRICS_TOKEN = env("METRICS_TOKEN")  # lets Prometheus in; without it, this machine alone
CONTACT = env("CONTACT")  # whom people ask who can't get in
STAFF_TOTP = env_bool("STAFF_TOTP", False)  # the admin is for those with an authenticator app
DEMO_MARK = INFRA_MIND_HOME / "demo"  # there while the demo account has its well known password
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0)  # in front, each adding to X-Forwarded-For

AUTHENTICATION_BACKENDS = ["accounts.backend.ThrottledBackend"]
PASSWORD_HASHERS = ["accounts.hashing.BoundedHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"

HAS_MAIL = bool(env("SMTP_URL"))
DEFAULT_FROM_EMAIL = env("MAIL_FROM", "infra-mind@localhost")
MAILERS = {"default": mailer(env("SMTP_URL"))}
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"} if HAS_MAIL else {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", *(["email*"] if HAS_MAIL else []), "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if HAS_MAIL else "none"
ACCOUNT_EMAIL_NOTIFICATIONS = HAS_MAIL
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 3
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if env_bool("HTTPS", False) else "http"
# Passwords are counted by accounts.throttle; the second is for codes of the second factor.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "5/5m/key"}
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "add_email": "accounts.forms.AddEmailForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
}
MFA_ADAPTER = "accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Infra Mind"
MFA_TOTP_TOLERANCE = 1  # a code from the 30 s before or after: RFC 6238, section 5.2
MFA_FORMS = {
    "authenticate": "accounts.forms.CodeForm",
    "reauthenticate": "accounts.forms.CodeAgainForm",
    "activate_totp": "accounts.forms.ActivateTotpForm",
}

OIDC_ISSUER = env("OIDC_ISSUER")
OIDC_NAME = env("OIDC_NAME", "single sign-on") if OIDC_ISSUER else ""
OIDC_SIGN_UP = env_bool("OIDC_SIGN_UP", SIGN_UP)  # may people whom the issuer knows join by that
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": oidc_apps()}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["infra_mind.formats"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
COLLECTED_HERE = INFRA_MIND_HOME / "static"  # by manage.py up; the container image has its own
STATIC_ROOT = env("STATIC_ROOT") or (str(COLLECTED_HERE) if COLLECTED_HERE.is_dir() else None)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "infra_mind.static.CollectedStorage"},
}
WHITENOISE_USE_FINDERS = True  # where nothing has been collected

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
HTTPS = env_bool("HTTPS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
_OWN_URL = f"http://127.0.0.1:{env('PORT', '8000')}"
_OWN_URL = f"https://{ALLOWED_HOSTS[0].lstrip('.')}" if HTTPS else _OWN_URL
PUBLIC_URL = env("PUBLIC_URL", _OWN_URL).rstrip("/")  # for files that leave, such as SARIF
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = env_bool("HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = [
    "security.W021",  # preloading can't be taken back: it is asked for
    *([] if HAS_MAIL else ["mail.E001"]),  # no mail is sent, and pages say so
]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

# PostgreSQL, the truth.


def database(url: str) -> dict[str, Any]:
    """Django's settings of one PostgreSQL database, from
    ``postgresql://user:password@host:port/name?host=/socket``."""
    parts = urlsplit(url)
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = unquote(options.pop("host", "") or parts.hostname or "")
    # Only the web process has threads that share connections; workers keep one connection a thread.
    pool: dict[str, Any] = {"pool": {"min_size": 1, "max_size": 12, "timeout": 3}} if IS_WEB else {}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "infra_mind",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if IS_WEB else 60,
        "CONN_HEALTH_CHECKS": IS_WEB,  # a worker finds out by its claim, which is tried again
        "OPTIONS": {
            "connect_timeout": 3,
            "application_name": "infra_mind",
            "prepare_threshold": 2,
            **options,
            **pool,
        },
    }


DATABASES = {"default": database(DATABASE_URL or "postgresql://127.0.0.1:1/not-running")}

# Celery, the doorbell.

CELERY_BROKER_URL = env("CELERY_BROKER_URL", REDIS_URL or "redis://127.0.0.1:1/0")
CELERY_RESULT_BACKEND = "tasks_ui.worker.result_backend:TaskResultBackend"
CELERY_RESULT_EXPIRES = 86_400
CELERY_RESULT_EXTENDED = False  # arguments are ids, and stay out of the results
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

CELERY_TASK_DEFAULT_QUEUE = "default"
IS_RABBITMQ = CELERY_BROKER_URL.startswith(("amqp", "pyamqp"))
_QUEUE_ARGUMENTS = {"x-queue-type": "quorum"} if IS_RABBITMQ else None
CELERY_TASK_QUEUES = [
    Queue(name, routing_key=name, queue_arguments=_QUEUE_ARGUMENTS)
    for name in ("default", "assessments", "reports", "priority")
]
CELERY_TASK_ROUTES = {
    "tasks.assessment_tasks.*": {"queue": "assessments"},
    "tasks.recommendation_tasks.*": {"queue": "default"},
    "tasks.report_tasks.*": {"queue": "reports"},
}
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TASK_SOFT_TIME_LIMIT = 3300
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = (
    True  # the claim refuses what is redelivered, so a poison message cannot circle
)
CELERY_TASK_TRACK_STARTED = False  # the row says it
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A child that has grown is replaced after its task, which gives back what a leak or a huge input
# took. A replacement leaves its slot idle for about 2.5 s (the pool looks every 5 s), so the count
# is only the second guard: at 100 tasks a child, no-op tasks ran at 67/s instead of 414/s.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = env_int("WORKER_MEMORY_MB", 500) * 1024
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
# Connections outlive a task, for at most CONN_MAX_AGE seconds. Celery would open one per task;
# tasks_ui.worker.connections closes only those that are no longer sound.
CELERY_DB_REUSE_MAX = 10_000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env_int("SOFT_SHUTDOWN_S", 20)
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_SEND_TASK_EVENTS = True  # Flower
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

CELERY_BEAT_SCHEDULER = "infra_mind.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
CELERY_BEAT_SCHEDULE = {
    "prune-tasks": {
        "task": "tasks_ui.prune_tasks",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
    "delete-old-assessments": {
        "task": "assessments.delete_old_assessments",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
}

# Channels, the hint.


def redis_database(url: str, number: int) -> str:
    """The same server, but another logical database."""
    base, _, query = url.partition("?")
    if base.startswith("unix"):
        rest = "&".join(
            part
            for part in query.split("&")
            if part and not part.startswith(("db=", "virtual_host="))
        )
        return f"{base}?db={number}" + (f"&{rest}" if rest else "")
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}/{number}" + (f"?{query}" if query else "")


CHANNEL_REDIS_URL = redis_database(REDIS_URL or "redis://127.0.0.1:1/0", 1)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": CHANNEL_REDIS_URL,
                    # an idle socket waits for ever; health checks find a dead server
                    "socket_timeout": None,
                    "socket_connect_timeout": 2,
                    "health_check_interval": 10,
                }
            ],
            "prefix": "infra_mind",
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "accounts.cache.PatientCache",
        "LOCATION": CHANNEL_REDIS_URL,
        "KEY_PREFIX": "infra_mind.cache",
        "OPTIONS": {"socket_timeout": 0.15, "socket_connect_timeout": 0.15},
    }
}

# The dashboard, tasks_ui.

TASKS = {"default": {"BACKEND": "tasks_ui.backend.TrackedBackend"}}  # Django's @task is tracked
TASKS_SITE_NAME = "Infra Mind"
TASKS_SITE_VERSION = version()
TASKS_LEASE_S = env_int("TASKS_LEASE_S", 15)
TASKS_HEARTBEAT_S = TASKS_LEASE_S / 3
TASKS_CANCEL_GRACE_S = 10
TASKS_MAX_ATTEMPTS = 4  # the first try and three retries
TASKS_OWNER_WINDOW = env_int(
    "TASKS_OWNER_WINDOW", 8
)  # runs of one owner let into one queue at a time
TASKS_RETRY_BASE_S = env_int("TASKS_RETRY_BASE_S", 5)
TASKS_RETRY_MAX_S = 600
RATE_LIMIT_PER_MINUTE = env_int(
    "RATE_LIMIT_PER_MINUTE", 3000
)  # requests to the REST API, of one token or person
SOCKETS_PER_USER = env_int("SOCKETS_PER_USER", 50)  # in each web process
TASKS_DISK_FOLDERS = [INFRA_MIND_HOME, BASE_DIR, Path(tempfile.gettempdir())]
TASKS_DISK_FREE_MB = env_int("DISK_FREE_MB", 200)  # less is "not ready"
TASKS_RETENTION_DAYS = env_int("TASKS_RETENTION_DAYS", 30)
AUDIT_RETENTION_DAYS = env_int("AUDIT_RETENTION_DAYS", 365)
AUDIT_LOGGER = "infra_mind.audit"
AUDIT_LOG = env("AUDIT_LOG")  # a file, else standard error

# Assessments.

SCANNER_PYTHON = env("SCANNER_PYTHON", str(BASE_DIR / ".venv-scanner" / "bin" / "python"))
ALLOW_OPEN_SANDBOX = env_bool("ALLOW_OPEN_SANDBOX", False)  # scan where engines can't be shut in
ANALYZE_WAIT_MAX_S = env_int("ANALYZE_WAIT_MAX_S", 120)  # of POST analyze?background=false
OWN_RULES = env("OWN_RULES")  # a folder with Checkov policies as YAML
PRICE_BOOK = env("PRICE_BOOK")  # a file with the server's own prices
LIST_PRICES = INFRA_MIND_HOME / "prices" / "list.csv"  # written by refresh_prices
KUBERNETES_VERSION = env("KUBERNETES_VERSION", "")  # that manifests are compared with; newest
FIXES_MAX_S = env_int("FIXES_MAX_S", 30)  # spent on proving a run's fixes
# of one person; 0: no limit
QUOTA_STORED_MB = env_int("QUOTA_STORED_MB", 1000)
QUOTA_ASSESSMENTS = env_int("QUOTA_ASSESSMENTS", 500)
QUOTA_FILES = env_int("QUOTA_FILES", 1_000_000)
VERSIONS_KEPT = env_int("VERSIONS_KEPT", 100)  # 0: the files of all
QUOTA_WAITING_RUNS = env_int("QUOTA_WAITING_RUNS", 1000)
QUOTA_REPORTS = env_int("QUOTA_REPORTS", 2000)
ASSESSMENTS_RETENTION_DAYS = env_int("ASSESSMENTS_RETENTION_DAYS", 0)  # 0: kept until deleted
UPLOAD_MAX_BYTES = 50 * 1024 * 1024
UPLOAD_MAX_FILES = 10_000
UPLOAD_MAX_FILE_BYTES = 5 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_MAX_BYTES * 2
BODY_DEADLINE_S = env_int("BODY_DEADLINE_S", 60)  # for a request to arrive; uploads have ten times
DATA_UPLOAD_MAX_NUMBER_FILES = UPLOAD_MAX_FILES
DATA_UPLOAD_MAX_NUMBER_FIELDS = UPLOAD_MAX_FILES + 1000

SENTRY_DSN = env("SENTRY_DSN")
LOG_FORMAT = env("LOG_FORMAT", "text")
if LOG_FORMAT not in {"text", "json"}:
    raise SystemExit(f"LOG_FORMAT must be text or json, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "context": {"()": "tasks_ui.runs.log_context.ContextFilter"},
        "route": {"()": "infra_mind.access_log.RouteFilter"},
    },
    "formatters": {
        "text": {
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s%(context)s",
            "datefmt": "%H:%M:%S",
        },
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["levelname", "name", "message", *FIELDS],
            "rename_fields": {"levelname": "level", "name": "logger"},
            "reserved_attrs": [*RESERVED_ATTRS, "context", "data", "request", "status_code"],
            "timestamp": True,
        },
        "bare": {"format": "%(message)s"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["context"],
            "stream": sys.stderr,
        },
        "audit": {
            "formatter": "bare",
            **(
                {
                    "class": "logging.handlers.WatchedFileHandler",
                    "filename": AUDIT_LOG,
                    "delay": True,
                }
                if AUDIT_LOG
                else {"class": "logging.StreamHandler", "stream": sys.stderr}
            ),
        },
    },
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "django.request": {"level": "ERROR", "filters": ["route"]},  # the access log has the rest
        "httpx": {"level": "WARNING"},
        AUDIT_LOGGER: {"handlers": ["audit"], "level": "INFO", "propagate": False},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},  # its lines show what a task returns
    },
}
