"""Django's settings, all from gateway/config.py: nothing is read from the environment here."""

import ipaddress
import os
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from gateway import config
from gateway.scopes import SCOPES

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
    "rest_framework",
    "drf_spectacular",
    "oauth2_provider",
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
LOGIN_URL = "sign_in"
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

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "gateway.rest.authentication.Bearer",
        "gateway.rest.authentication.Session",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["gateway.rest.permission.Allowed"],
    "DEFAULT_THROTTLE_CLASSES": ["gateway.rest.throttle.PerActor"],
    "DEFAULT_PARSER_CLASSES": ["audit.rest.parsing.JSONBody"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "audit.rest.pages.ByKey",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "gateway.rest.schema.ResourceSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "gateway.rest.handler.handle",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse management API",
    "DESCRIPTION": "Everything that the console can do. See docs/management-api.md.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ExportStateEnum": "audit.models.Export.State",
        "JobKindEnum": "gateway.api.jobs.ASKED_FOR",
        "JobStateEnum": "gateway.models.Job.State",
        "KeyStateEnum": "tenants.models.VirtualKey.State",
        "KindEnum": "tenants.models.RateLimit.Kind",
        "MarkVerdictEnum": "audit.models.Mark.Verdict",
        "RoleEnum": "tenants.models.Role",
        "StateEnum": "tenants.models.Tenant.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gateway.rest.schema.add_problems",
    ],
}

OAUTH2_PROVIDER_APPLICATION_MODEL = "gateway.OAuthApplication"
OAUTH2_PROVIDER = {
    "SCOPES": dict(SCOPES),
    "SCOPES_BACKEND_CLASS": "gateway.oauth.scopes.OfApplication",
    "OAUTH2_VALIDATOR_CLASS": "gateway.oauth.validator.Validator",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 15 * 60,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 14 * 24 * 3600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "ALLOW_URI_WILDCARDS": False,
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "client_credentials", "refresh_token"],
    # Each refuses what RFC 9700 advises against; without the one on storage, tokens lie in clear.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
}

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
    "end_emergencies": {
        "task": "gateway.end_emergencies",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "bring_into_force": {
        "task": "gateway.bring_into_force",
        "schedule": 1.0,
        "options": {"expires": 1},
    },
    "sweep_leases": {"task": "gateway.sweep_leases", "schedule": 5.0, "options": {"expires": 5}},
    "maintain_partitions": {"task": "gateway.maintain_partitions", "schedule": 3600.0},
    "tend_jobs": {"task": "gateway.tend_jobs", "schedule": 5.0, "options": {"expires": 5}},
    "roll_usage": {"task": "gateway.roll_usage", "schedule": 60.0, "options": {"expires": 60}},
    "look_after_providers": {
        "task": "gateway.look_after_providers",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "watch_rules": {"task": "gateway.watch_rules", "schedule": 600.0, "options": {"expires": 600}},
    "prune_jobs": {"task": "gateway.prune_jobs", "schedule": 3600.0},
    "turn_epochs": {"task": "gateway.turn_epochs", "schedule": 24 * 3600.0},
    "forget_tokens": {"task": "gateway.forget_tokens", "schedule": 3600.0},
    "refresh_prices": {"task": "gateway.refresh_prices", "schedule": 24 * 3600.0},
}
