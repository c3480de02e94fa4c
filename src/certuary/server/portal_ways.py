"""The ways into the portal beside the password, as the settings name them: what their files hold, read at start.

`ConfigError` says what is wrong with a file; the supervisor asks before it starts anything.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from certuary.errors import ConfigError
from certuary.portal.provider import ProviderSettings
from certuary.server.config import Settings
from certuary.server.tls import read_file, refuse_world_readable

_RULE = "portal-sign-in"


def check_ways(settings: Settings) -> None:
    """Whether all that they need is there."""
    read_provider(settings)
    read_client_ca(settings)


def read_client_ca(settings: Settings) -> tuple[x509.Certificate, ...]:
    """The authorities that issue people's certificates; none where there is no such file."""
    if not settings.portal_client_ca_file:
        return ()
    path = Path(settings.portal_client_ca_file)
    try:
        return tuple(x509.load_pem_x509_certificates(read_file(path, _RULE)))
    except ValueError:
        raise ConfigError(f"{path} holds no certificates in PEM", rule=_RULE) from None


def read_provider(settings: Settings) -> ProviderSettings | None:
    if not settings.oidc_issuer:
        return None
    return ProviderSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_read_secret(Path(settings.oidc_client_secret_file)),
        name=settings.oidc_name,
        claim=settings.oidc_claim,
        acr=settings.oidc_acr,
        asks_second_factor=settings.oidc_second_factor == "portal",
        tls=_tls_context(settings.oidc_ca_file),
    )


def _read_secret(path: Path) -> str:
    refuse_world_readable(path, _RULE)
    try:
        secret = read_file(path, _RULE).decode().strip()
    except ValueError:
        secret = ""
    if not secret:
        raise ConfigError(f"{path} holds no client secret", rule=_RULE)
    return secret


def _tls_context(ca_file: str) -> ssl.SSLContext:
    """What the system trusts, or that file alone."""
    if not ca_file:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=read_file(Path(ca_file), _RULE).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"{ca_file} holds no certificates in PEM", rule=_RULE) from None
