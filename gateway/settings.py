"""Django's settings, all from gateway/config.py: nothing is read from the environment here."""

import ipaddress
import os
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from gateway import config

GATEHOUSE = config.load(os.environ)
"""The configuration as one frozen value, for what is not Django's."""

ROOT = Path(__file__).resolve().parents[1]

SECRET_KEY = GATEHOUSE.secret_key
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the host is not trusted for anything: no link is built from it
ROOT_URLCONF = "gateway.urls"
ASGI_APPLICATION = "gateway.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "audit",
    "tenants",
    "policies",
    "gateway",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_cotton.apps.SimpleAppConfig",  # the simple ones: their loaders are set below, because
    "template_partials.apps.SimpleAppConfig",  # automatically each undoes what the other did
]
MIDDLEWARE = [
    "gateway.middleware.Origin",
    "django.middleware.security.SecurityMiddleware",
    "gateway.middleware.Headers",
    "gateway.middleware.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "gateway.middleware.Declared",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "template_partials.templatetags.partials",
                "gateway.templatetags.console",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gateway.shell.shell",
            ],
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    """Return Django's form of a PostgreSQL URL; what it has no name for goes to libpq as it is."""
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
    }


# The application's role owns nothing and is bound by the append-only grants; only `migrate` uses
# the owner's.
DATABASES = {
    "default": _database(GATEHOUSE.database_url),
    "owner": _database(GATEHOUSE.database_owner_url),
}

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Cookies travel in clear only where the server listens on this machine alone.
SECURE = not _is_loopback(GATEHOUSE.host)
SESSION_COOKIE_NAME = "__Host-gatehouse" if SECURE else "gatehouse"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CSRF_COOKIE_NAME = "__Host-gatehouse-csrf" if SECURE else "gatehouse-csrf"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "gateway.views.errors.forgery"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # of trusted proxies alone
SECURE_HSTS_SECONDS = 365 * 24 * 3600  # said over https only
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # from the packages themselves: there is nothing to collect
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

LOGGING_CONFIG = None  # each process says for itself where its lines go (gateway/logs.py)

CELERY_BROKER_URL = GATEHOUSE.broker_url
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True  # every task may run twice
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 0,  # whoever sends a message does not wait for a broker that is away
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "visibility_timeout": 300,
}
CELERY_BEAT_SCHEDULE = {
    "publish": {"task": "gateway.publish", "schedule": 5.0, "options": {"expires": 5}},
    "sweep_leases": {"task": "gateway.sweep_leases", "schedule": 5.0, "options": {"expires": 5}},
    "maintain_partitions": {"task": "gateway.maintain_partitions", "schedule": 3600.0},
    "tend_jobs": {"task": "gateway.tend_jobs", "schedule": 5.0, "options": {"expires": 5}},
    "roll_usage": {"task": "gateway.roll_usage", "schedule": 60.0, "options": {"expires": 60}},
    "prune_jobs": {"task": "gateway.prune_jobs", "schedule": 3600.0},
    "turn_epochs": {"task": "gateway.turn_epochs", "schedule": 24 * 3600.0},
    "refresh_prices": {"task": "gateway.refresh_prices", "schedule": 24 * 3600.0},
}
