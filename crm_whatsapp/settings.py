"""Every setting, in one file. What differs between installations is read from the environment, here at the top.

`make run` keeps its own addresses and keys in `.local/env`; a variable that is already set wins over that file.
`.env.example` explains each variable.
"""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from limits import parse as parse_rate

from crm_whatsapp.logging import mask_secrets, without_health_checks, without_query

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(Path(os.environ.get("CRM_ENV_FILE", BASE_DIR / ".local" / "env")))

# --- From the environment -------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
# Fernet keys, newest first: the first encrypts, all decrypt.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASE_URL = env.str("DATABASE_URL")
REDIS_URL = env.str("REDIS_URL")

# Where Evolution API answers, and its global key.
EVOLUTION_URL = env.str("EVOLUTION_URL", default="http://127.0.0.1:8080")
EVOLUTION_API_KEY = env.str("EVOLUTION_API_KEY", default="")
# Where Evolution reaches our webhook endpoint, without a trailing slash.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
# Where people open the console, for links in e-mails; without it, the same.
CONSOLE_URL = (env.str("CONSOLE_URL", default="") or PUBLIC_URL).rstrip("/")
# Secret of Evolution's global webhook (WEBHOOK_GLOBAL_URL), if one is used. Units have their own secrets besides.
EVOLUTION_GLOBAL_WEBHOOK_SECRET = env.str("EVOLUTION_GLOBAL_WEBHOOK_SECRET", default="")
# A second secret of webhooks, in the header X-Webhook-Secret: the first is registered with Evolution, all are accepted.
# Not required while it is introduced, until all numbers are registered with it.
EVOLUTION_WEBHOOK_HEADER_SECRETS = env.list("EVOLUTION_WEBHOOK_HEADER_SECRETS", default=[])
EVOLUTION_WEBHOOK_HEADER_REQUIRED = env.bool("EVOLUTION_WEBHOOK_HEADER_REQUIRED", default=True)
# Webhooks of one secret that one web process takes; more are answered 503, and Evolution tries again. Empty: no limit.
WEBHOOK_RATE = env.str("WEBHOOK_RATE", default="60000/minute")
# Where browsers reach the live-event process: empty behind a reverse proxy that routes /units/*/events to it.
LIVE_URL = env.str("LIVE_URL", default="").rstrip("/")

EVOLUTION_CONNECT_TIMEOUT = env.float("EVOLUTION_CONNECT_TIMEOUT", default=5.0)
EVOLUTION_READ_TIMEOUT = env.float("EVOLUTION_READ_TIMEOUT", default=30.0)
# The number check alone may block the gateway for 60 s (docs/evolution.md, "Sending").
EVOLUTION_SEND_TIMEOUT = env.float("EVOLUTION_SEND_TIMEOUT", default=75.0)
# How long after our read time-out the gateway may still act on a send (docs/architecture.md, "Pace").
SEND_GRACE = timedelta(seconds=env.float("SEND_GRACE_SECONDS", default=60.0))
# Sends at the same time from one delivery process.
DELIVERY_THREADS = env.int("DELIVERY_THREADS", default=64)

# Files of messages (docs/operations.md, "Files of messages"): the largest that is kept, and how many are loaded at once
# by one process.
MEDIA_MAX_BYTES = env.int("MEDIA_MAX_BYTES", default=64 * 1024 * 1024)
MEDIA_THREADS = env.int("MEDIA_THREADS", default=4)
# Seconds from the first byte of a file to its last.
MEDIA_TIMEOUT = env.float("MEDIA_TIMEOUT", default=60.0)
# Servers from which a link in a webhook is loaded, as `host`, `host:port` or an address; empty: the gateway alone.
MEDIA_URL_HOSTS = env.list("MEDIA_URL_HOSTS", default=[])
# A bucket instead of MEDIA_ROOT; keys and region come from the usual AWS_… variables or the machine's role.
MEDIA_S3_BUCKET = env.str("MEDIA_S3_BUCKET", default="")
MEDIA_S3_ENDPOINT_URL = env.str("MEDIA_S3_ENDPOINT_URL", default="")
MEDIA_S3_PREFIX = env.str("MEDIA_S3_PREFIX", default="")

# How many campaign messages a day a number may send at most, by its age: `from day N : at most M`, N rising from 1, in
# days of its use; without M there is no limit from that day on. Empty: none at all. Shown to the user.
CAMPAIGN_WARM_UP: list[tuple[int, int | None]] = [
    (int(from_day), int(most) if most else None)
    for from_day, _colon, most in (
        row.partition(":")
        for row in env.list("CAMPAIGN_WARM_UP", default=["1:50", "4:100", "8:250", "15:500", "22:1000", "31:"])
    )
]
# What stops the campaigns of a number until a person lets them go on (`messaging.breaker`): failures in a row; or, as
# `at least, more than percent, of the last`, numbers that are not on WhatsApp, and messages that WhatsApp refused.
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=5)
BREAKER_NOT_ON_WHATSAPP: list[int] = env.list("BREAKER_NOT_ON_WHATSAPP", cast=int, default=[10, 30, 50])
BREAKER_REFUSED: list[int] = env.list("BREAKER_REFUSED", cast=int, default=[5, 20, 30])
# Outgoing webhooks may go to addresses of our own network as well, on any port and without TLS: whoever owns a unit can
# then reach whatever the workers reach.
OUTGOING_WEBHOOKS_PRIVATE = env.bool("OUTGOING_WEBHOOKS_PRIVATE", default=False)
# What waited while a number was away for longer than this asks a person first when it is back.
STALE_AFTER = timedelta(minutes=env.float("STALE_AFTER_MINUTES", default=60.0))
# Numbers are checked before a campaign writes to them for the first time: so many at once, with so long between two
# checks of one unit, and those that were not on WhatsApp again after so many days. Bulk checks get numbers banned.
NUMBER_CHECK_BATCH = env.int("NUMBER_CHECK_BATCH", default=20)
NUMBER_CHECK_INTERVAL = timedelta(seconds=env.float("NUMBER_CHECK_SECONDS", default=30.0))
NUMBER_CHECK_AGAIN = timedelta(days=env.float("NUMBER_CHECK_AGAIN_DAYS", default=30.0))

# Where processes leave a sign of life for `manage.py healthcheck`.
HEARTBEAT_DIR = Path(env.str("HEARTBEAT_DIR", default=str(BASE_DIR / ".local" / "heartbeats")))

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_JSON = env.bool("LOG_JSON", default=not DEBUG)
# Whether users reach us over HTTPS: secure cookies, HSTS, redirect.
HTTPS = env.bool("HTTPS", default=not DEBUG)

# A Host header that is not allowed is answered 400, and after a 400 Evolution never tries again.
PUBLIC_HOST, _public_port = split_domain_port(urlsplit(PUBLIC_URL).netloc)
if not PUBLIC_HOST:
    raise ImproperlyConfigured("PUBLIC_URL needs a scheme and a host, such as http://web:8000.")
ALLOWED_HOSTS += [PUBLIC_HOST]

_days = [from_day for from_day, _most in CAMPAIGN_WARM_UP]
if (_days and _days[0] != 1) or _days != sorted(set(_days)) or any(most == 0 for _day, most in CAMPAIGN_WARM_UP):
    raise ImproperlyConfigured("CAMPAIGN_WARM_UP needs rising days from 1, such as 1:50,8:250,31: (not 0 messages).")
if len(BREAKER_NOT_ON_WHATSAPP) != 3 or len(BREAKER_REFUSED) != 3:
    raise ImproperlyConfigured("BREAKER_NOT_ON_WHATSAPP and BREAKER_REFUSED need three numbers, such as 10,30,50.")
if any(len(secret) < 32 or not secret.isascii() for secret in EVOLUTION_WEBHOOK_HEADER_SECRETS):
    raise ImproperlyConfigured("EVOLUTION_WEBHOOK_HEADER_SECRETS needs ASCII of at least 32 characters each.")
if WEBHOOK_RATE:
    try:
        parse_rate(WEBHOOK_RATE)
    except ValueError as error:
        raise ImproperlyConfigured("WEBHOOK_RATE needs a number and a time, such as 60000/minute.") from error
if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("SECRET_KEY needs at least 32 characters. Make one with: openssl rand -base64 48")

# --- Django ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Before the admin, whose templates it replaces; without its own site, since ours is one.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "units.admin_site.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_structlog",
    "axes",
    "crm_whatsapp",
    "units",
    "messaging",
    "campaigns",
    "webhooks",
    "attention",
    "outgoing_webhooks",
    "console",
]

MIDDLEWARE = [
    "webhooks.middleware.WebhooksFirst",
    "crm_whatsapp.request_ids.RequestIds",
    "crm_whatsapp.permissions_policy.PermissionsPolicy",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "units.audit.AuditMiddleware",
    "crm_whatsapp.utc.utc_times",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # Replaces the log-in page for anyone who has to wait.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "crm_whatsapp.urls"
WSGI_APPLICATION = "crm_whatsapp.wsgi.application"
# A redirect eats a webhook (tests/evolution/webhooks/redirects.json): no slash is ever added.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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

# Not EMAIL_BACKEND and its like, which Django gives up. Without an EMAIL_URL nothing is sent.
_mail = env.email_url_config(env.str("EMAIL_URL", default="") or "dummymail://")
MAILERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": _mail["EMAIL_BACKEND"]}}
if _mail["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
    MAILERS["default"]["OPTIONS"] = {
        "host": _mail["EMAIL_HOST"],
        "port": _mail["EMAIL_PORT"]
        or (465 if _mail.get("EMAIL_USE_SSL") else 587 if _mail.get("EMAIL_USE_TLS") else 25),
        "username": _mail["EMAIL_HOST_USER"],
        "password": _mail["EMAIL_HOST_PASSWORD"],
        "use_tls": _mail.get("EMAIL_USE_TLS", False),
        "use_ssl": _mail.get("EMAIL_USE_SSL", False),
        "timeout": 20,
    }
elif _mail["EMAIL_BACKEND"].endswith(".filebased.EmailBackend"):
    MAILERS["default"]["OPTIONS"] = {"file_path": _mail["EMAIL_FILE_PATH"]}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"CRM WhatsApp <no-reply@{PUBLIC_HOST}>")

AUTH_USER_MODEL = "units.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = reverse_lazy("console:login")
LOGIN_REDIRECT_URL = reverse_lazy("console:home")
LOGOUT_REDIRECT_URL = LOGIN_URL
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {"user_attributes": ("email", "first_name", "last_name")}),
        ("MinimumLengthValidator", {"min_length": 10}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"]["connect_timeout"] = 5
if env.bool("DATABASE_POOL", default=False):
    # Only in the web process: Celery closes pools around every task.
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 16, "timeout": 5}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Each process has its own, for seconds; what took long to count is shared, and outlives a restart.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {
        "BACKEND": "crm_whatsapp.shared_cache.SharedCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": env.str("CELERY_QUEUE", default="crm"),
    },
}

LANGUAGE_CODE = "pt-br"
LANGUAGES = [("pt-br", _("Portuguese (Brazil)")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "America/Sao_Paulo"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / ".local" / "static")))
STORAGES: dict[str, dict[str, Any]] = {
    # Whoever loads a file once more writes over what is there (messaging.media.storage).
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"allow_overwrite": True}},
    "staticfiles": {
        "BACKEND": "crm_whatsapp.static_files.HashedStaticFiles"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
if MEDIA_S3_BUCKET:
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_S3_BUCKET,
            "endpoint_url": MEDIA_S3_ENDPOINT_URL or None,
            "location": MEDIA_S3_PREFIX,
            "file_overwrite": True,
            # Private, as the bucket is: nobody but us hands files out.
            "default_acl": None,
        },
    }
# Without a collected manifest (development, tests) files are found where they lie.
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / ".local" / "media")))

# Evolution itself sends bodies up to 136 MB (docs/evolution.md, "Requests and errors"). Larger ones are kept as a stub.
WEBHOOK_MAX_BODY_BYTES = env.int("WEBHOOK_MAX_BODY_BYTES", default=32 * 1024 * 1024)
# A body with more JSON values (counted by its "{", "[" and ",") is kept as text and not decoded: each value takes up to
# some hundred bytes of memory. A message has 10 to 100, one with a thumbnail as Evolution writes it some 500.
WEBHOOK_MAX_BODY_VALUES = env.int("WEBHOOK_MAX_BODY_VALUES", default=500_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# The largest CSV file of contacts that is taken: a million rows of 60 bytes are 60 MB.
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=256 * 1024 * 1024)
# How often what the gateway has stored of a connected number is compared with what is here, and how far back at most.
CATCH_UP_INTERVAL = timedelta(minutes=env.float("CATCH_UP_MINUTES", default=10.0))
CATCH_UP_REACH = timedelta(days=env.float("CATCH_UP_DAYS", default=7.0))
# A text that is one of these and nothing else, whatever its case, accents, punctuation and emoji, means: no campaigns
# any more; or: campaigns again. The first of each is the one that our answers name.
OPT_OUT_WORDS = env.list(
    "OPT_OUT_WORDS",
    default=[
        "SAIR",
        "PARAR",
        "PARE",
        "CANCELAR",
        "CANCELE",
        "DESCADASTRAR",
        "DESCADASTRE",
        "DESINSCREVER",
        "REMOVER",
        "REMOVA",
        "SAIR DA LISTA",
        "NÃO QUERO RECEBER",
        "NÃO QUERO MAIS RECEBER",
        "STOP",
        "UNSUBSCRIBE",
        "OPT OUT",
    ],
)
OPT_IN_WORDS = env.list("OPT_IN_WORDS", default=["VOLTAR", "QUERO RECEBER", "START", "SUBSCRIBE"])
# Settled webhook events are deleted after this; those that could not be handled stay.
WEBHOOK_RETENTION = timedelta(days=env.float("WEBHOOK_RETENTION_DAYS", default=14.0))

# --- Security -------------------------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_SSL_REDIRECT = HTTPS
# A redirect eats a webhook; health checks come from inside.
SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
# Features of browsers that no page of ours uses, nor any script that might get into one; voice messages are recorded.
PERMISSIONS_POLICY = "microphone=(self), " + ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "midi",
        "payment",
        "usb",
    )
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
# Lax, not Strict: a link in a letter leads into the console.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(days=env.float("SESSION_DAYS", default=14.0)).total_seconds())
# Links in letters to set a password.
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())

# Logging in wrongly so often locks: one person at one address, and an address for everybody, until it has been quiet
# for so long (`units.logins`; docs/operations.md, "Logging in").
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURES", default=5)
LOGIN_FAILURES_BY_ADDRESS = env.int("LOGIN_FAILURES_BY_ADDRESS", default=50)
AXES_COOLOFF_TIME = timedelta(minutes=env.float("LOGIN_LOCK_MINUTES", default=15.0))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# Who goes on trying is not locked for ever.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_HANDLER = "units.logins.LoginAttempts"
AXES_CLIENT_IP_CALLABLE = "units.logins.client_address"
AXES_USERNAME_CALLABLE = "units.logins.typed_email"
AXES_LOCKOUT_CALLABLE = "units.logins.locked_out"
# Who logs in when is in `last_login`; what he does then, in the audit log.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# Links to a new password that are sent to one person, and asked for from one address.
PASSWORD_LINKS_TO = env.str("PASSWORD_LINKS_TO", default="3/hour")
PASSWORD_LINKS_FROM = env.str("PASSWORD_LINKS_FROM", default="20/hour")
# The header in which the proxy in front of us writes the address of the client, such as X-Forwarded-For; empty: nobody
# is believed, and the address is that of the connection. And how many proxies of ours write into it.
CLIENT_ADDRESS_HEADER = env.str("CLIENT_ADDRESS_HEADER", default="")
CLIENT_ADDRESS_PROXIES = env.int("CLIENT_ADDRESS_PROXIES", default=1)
X_FRAME_OPTIONS = "DENY"
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", "blob:"],
    "media-src": [CSP.SELF, "blob:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF, *([LIVE_URL] if LIVE_URL else [])],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "manifest-src": [CSP.SELF],
}

# --- API ------------------------------------------------------------------------------------------

# Requests in a moving window: of one token or person, and of all of a unit together.
API_THROTTLE_CALLER: str = env.str("API_THROTTLE_CALLER", default="600/minute")
API_THROTTLE_UNIT: str = env.str("API_THROTTLE_UNIT", default="3000/minute")
# Streams of live events that are open at once: of one person or integration, and of all in one live process.
LIVE_STREAMS_PER_USER: int = env.int("LIVE_STREAMS_PER_USER", default=30)
LIVE_STREAMS: int = env.int("LIVE_STREAMS", default=5000)
# A client that takes nothing of what is sent to it for so many seconds is cut off.
LIVE_SEND_TIMEOUT: float = env.float("LIVE_SEND_TIMEOUT", default=30.0)
# The largest JSON body. Files have limits of their own: MEDIA_MAX_BYTES, IMPORT_MAX_BYTES.
API_MAX_BODY_BYTES: int = env.int("API_MAX_BODY_BYTES", default=5 * 1024 * 1024)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "units.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["crm_whatsapp.throttling.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm_whatsapp.api.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "crm_whatsapp.api.NewestFirstPagination",
    "DEFAULT_FILTER_BACKENDS": ["crm_whatsapp.filters.Filters"],
    "DEFAULT_SCHEMA_CLASS": "crm_whatsapp.schema.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "crm_whatsapp.errors.Errors",
    "ALLOWED_ERROR_STATUS_CODES": ["400", "401", "403", "404", "406", "409", "413", "415", "429", "500", "503"],
}
# Front ends on other origins, such as https://crm.example.com: with a token, never with the cookies of a session.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/(units|api/schema)(/|$)"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = ["Content-Disposition", "Idempotent-Replayed", "Location", "Retry-After", "X-Request-ID"]
SPECTACULAR_SETTINGS = {
    "TITLE": "CRM WhatsApp",
    "DESCRIPTION": (
        "Connect a WhatsApp number, answer customers and send campaigns.\n\n"
        "- **Log in** with a token: `Authorization: Bearer crm_…`.\n"
        "- **Lists** are pages: `results`, and the addresses of the `next` and `previous` one. A filter that is none is"
        " 400.\n"
        "- **Errors** have one shape: `type`, and in `errors` each with `code`, `detail` and `attr`, the field.\n"
        "- **Repeat** a POST whose answer was lost with the same `Idempotency-Key`: it is done once.\n"
        "- **429** tells in `Retry-After` how many seconds to wait.\n"
        "- Every answer has an `X-Request-ID`.\n"
        "- Times are ISO 8601 in UTC, ids are UUIDs; what is another unit's is 404, as if it were not there."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    # What is sent and what is shown are two things: nobody sends an id.
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/units/\{unit_id\}",
    "ENUM_NAME_OVERRIDES": {
        "ConnectionStatus": "units.models.ConnectionStatus",
        "MessageStatus": "messaging.models.MessageStatus",
        "ConversationStatus": "messaging.models.ConversationStatus",
        "AddressKind": "messaging.models.AddressKind",
        "AttributeKind": "messaging.models.AttributeKind",
        "AttachmentKind": "messaging.outgoing.attachments.KINDS",
        "OptOutSource": "messaging.models.OptOutSource",
        "CampaignStatus": "campaigns.models.CampaignStatus",
        "RecipientStatus": "campaigns.models.RecipientStatus",
        "ActionStatus": "messaging.models.ActionStatus",
        "EventStatus": "webhooks.models.EventStatus",
        "ReplayableEventStatus": "webhooks.serializers.SETTLED_BADLY",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "crm_whatsapp.schema.add_events",
    ],
}

# --- Celery: it only rings the bell (docs/architecture.md, "The one idea") ------------------------

CELERY_BROKER_URL = REDIS_URL
# Installations that share a broker need queues of their own.
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="crm")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Tasks wait for the database and for the gateway, and a process needs one delivery only: threads, not processes.
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = env.int("WORKER_THREADS", default=8)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    # Drains work for seconds; whatever is older was lost with its worker and is harmless to run again.
    "visibility_timeout": 300,
}

# --- Logging --------------------------------------------------------------------------------------

# One line per request, when it is answered; a page that is left ends its stream, which is nothing to tell.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_REQUEST_CANCELLED_LOG_LEVEL = logging.DEBUG
LOG_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": LOG_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                structlog.processors.JSONRenderer() if LOG_JSON else structlog.dev.ConsoleRenderer(colors=False),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Without Django's own mail to admins: its report of an exception has addresses and headers in it.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        # One line per request comes from django_structlog.
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        without_health_checks,
        without_query,
        *LOG_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

# --- Admin ----------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "CRM WhatsApp",
    "SITE_HEADER": "CRM WhatsApp",
    "SITE_URL": reverse_lazy("console:home"),
    "SITE_ICON": lambda request: static("console/mark.svg"),
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "crm_whatsapp.admin_health.health",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "crm_whatsapp.admin_navigation.navigation",
    },
    "COLORS": {
        "primary": {
            "50": "#fbf4f8", "100": "#f7eaf2", "200": "#eed4e4", "300": "#ddb9cf", "400": "#dfa1c7", "500": "#cf86b3",
            "600": "#7b2a5e", "700": "#611f49", "800": "#4a1838", "900": "#372030", "950": "#2c0a20",
        }
    },
}  # fmt: skip
