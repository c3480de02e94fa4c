"""Django's settings for the process that serves the portal, and for `certuary init`, which makes its tables too."""

from __future__ import annotations

from typing import Any

APPS = (
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "certuary.portal.apps.PortalConfig",
)

_MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "certuary.portal.middleware.DepsMiddleware",
    "certuary.portal.api.middleware.ProblemMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "certuary.portal.middleware.AccessMiddleware",
)

# Nothing from elsewhere, nothing inline. Tabler's stylesheet draws small pictures from data: addresses.
_POLICY: dict[str, Any] = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "report-uri": ["/csp-report"],
}


_PASSWORD_RULES: dict[str, dict[str, Any]] = {
    "MinimumLengthValidator": {"min_length": 12},
    "UserAttributeSimilarityValidator": {"user_attributes": ("name",)},
    "CommonPasswordValidator": {},
    "NumericPasswordValidator": {},
}


def table_settings() -> dict[str, Any]:
    """What the tables depend on: every process that migrates needs it."""
    return {
        "INSTALLED_APPS": ["certuary.store.apps.StoreConfig", *APPS],
        "AUTH_USER_MODEL": "portal.PortalUser",
        "MIDDLEWARE": list(_MIDDLEWARE),  # allauth looks whether its own is among them
        "ACCOUNT_USER_MODEL_EMAIL_FIELD": None,
        # The checks of these two concern the pages, which not every process that migrates has.
        "SILENCED_SYSTEM_CHECKS": ["models.W042"],
    }


def portal_settings(*, secret_key: str, hosts: tuple[str, ...]) -> dict[str, Any]:
    """`secret_key` is a secret of the key store: it signs sessions and forms."""
    return {
        **table_settings(),
        "SECRET_KEY": secret_key,
        "DEBUG": False,
        "ALLOWED_HOSTS": list(hosts),
        "ROOT_URLCONF": "certuary.portal.urls",
        "TEMPLATES": [_templates()],
        "STATIC_URL": "/static/",
        "WHITENOISE_USE_FINDERS": True,
        "WHITENOISE_MAX_AGE": 3600,
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": _POLICY},
        **_session_settings(),
        **_transport_settings(),
        **_sign_in_settings(),
    }


def _templates() -> dict[str, Any]:
    return {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "certuary.portal.context.frame",
            ],
        },
    }


def _session_settings() -> dict[str, Any]:
    return {
        "SESSION_ENGINE": "certuary.portal.sessions",
        "SESSION_COOKIE_NAME": "__Host-certuary-session",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Strict",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_COOKIE_NAME": "__Host-certuary-csrf",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Strict",
        "CSRF_USE_SESSIONS": False,
        "CSRF_FAILURE_VIEW": "certuary.portal.views.failures.csrf_failure",
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
    }


def _transport_settings() -> dict[str, Any]:
    return {
        "SECURE_HSTS_SECONDS": 0,  # a CA whose own root a browser does not know yet must stay reachable
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
        "X_FRAME_OPTIONS": "DENY",
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 512 * 1024,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 500,
        "DATA_UPLOAD_MAX_NUMBER_FILES": 1,
        "FILE_UPLOAD_MAX_MEMORY_SIZE": 512 * 1024,
    }


def _sign_in_settings() -> dict[str, Any]:
    return {
        "AUTHENTICATION_BACKENDS": ["certuary.portal.backend.PortalBackend"],
        "LOGIN_URL": "/sign-in/",
        "LOGIN_REDIRECT_URL": "/",
        "LOGOUT_REDIRECT_URL": "/sign-in/",
        "ACCOUNT_ADAPTER": "certuary.portal.adapter.AccountAdapter",
        "ACCOUNT_USER_MODEL_USERNAME_FIELD": "name",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_SESSION_REMEMBER": False,
        "ACCOUNT_LOGOUT_ON_GET": False,
        "ACCOUNT_RATE_LIMITS": {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"},
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
            for name, options in _PASSWORD_RULES.items()
        ],
        "MFA_ADAPTER": "certuary.portal.adapter.MfaAdapter",
        "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
        "MFA_TOTP_ISSUER": "Certuary",
        "MFA_RECOVERY_CODE_COUNT": 10,
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    }
