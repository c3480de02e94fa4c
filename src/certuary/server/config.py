"""Settings: `HOME/certuary.toml`, overridden by `CERTUARY_*` environment variables, overridden by flags.

Read once, checked whole, frozen. A key that is not known is refused with the nearest known one named.
`docs/configuration.md` documents each; a test compares it with this file.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from certuary.core.identity import OidcIdentity
from certuary.core.values import Network, parse_network
from certuary.errors import ConfigError, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    home: Path
    database_url: str = ""
    hostnames: tuple[str, ...] = ()
    organization: str = "Certuary"
    bind: str = "127.0.0.1"
    est_port: int = 8443
    portal_port: int = 8444
    environment: str = ""
    status_port: int = 8080
    status_url: str = ""
    workers: int = 1
    proxy_protocol_from: tuple[Network, ...] = ()
    metrics_from: tuple[Network, ...] = field(
        default_factory=lambda: (parse_network("127.0.0.0/8"), parse_network("::1/128"))
    )
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    portal_password_sign_in: bool = True
    portal_client_ca_file: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret_file: str = ""
    oidc_name: str = "single sign-on"
    oidc_claim: str = "sub"
    oidc_acr: tuple[str, ...] = ()
    oidc_second_factor: str = "portal"
    oidc_ca_file: str = ""
    max_connections: int = 4096
    max_connections_per_address: int = 512
    drain_seconds: int = 20
    log_level: str = "info"

    @property
    def keys_dir(self) -> Path:
        return self.home / "keys"

    @property
    def database(self) -> str:
        """The database's URL; a SQLite file in the home when none is configured."""
        return self.database_url or f"sqlite:///{self.home / 'certuary.db'}"

    @property
    def on_postgresql(self) -> bool:
        return self.database.startswith(("postgresql://", "postgres://"))

    @property
    def public_status_url(self) -> str:
        """Where relying parties find CRLs and CA certificates, without a slash at the end."""
        # An address rather than "localhost": certificate linters know no host of a single label.
        host = self.hostnames[0] if self.hostnames else "127.0.0.1"
        return self.status_url.rstrip("/") or f"http://{host}:{self.status_port}"


def default_home() -> Path:
    configured = os.environ.get("CERTUARY_HOME")
    return Path(configured) if configured else Path(platformdirs.user_data_dir("certuary"))


def load_settings(home: Path, flags: Mapping[str, object] | None = None) -> Settings:
    """Read the settings of a home; `flags` holds what the command line gave, absent or None where it gave nothing."""
    values = _from_file(home / "certuary.toml")
    values |= _from_environment()
    values |= {key: value for key, value in (flags or {}).items() if value is not None}
    try:
        converted: dict[str, Any] = {key: _convert(key, value) for key, value in values.items()}
        settings = Settings(home=home, **converted)
    except InvalidValue as problem:
        raise ConfigError(str(problem)) from None
    _check(settings)
    return settings


def _known() -> dict[str, Any]:
    return {known.name: known for known in fields(Settings) if known.name != "home"}


def _from_file(path: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path}: {problem}") from None
    for key in values:
        _refuse_unknown(key, f"{path}: ")
    return values


def _from_environment() -> dict[str, object]:
    not_settings = {
        "CERTUARY_HOME", "CERTUARY_ADMIN", "CERTUARY_ADMIN_PASSWORD_FILE",
        "CERTUARY_PASSPHRASE", "CERTUARY_PASSPHRASE_FILE",
    }  # fmt: skip
    found: dict[str, object] = {}
    for name, value in os.environ.items():
        if not name.startswith("CERTUARY_") or name in not_settings:
            continue
        key = name.removeprefix("CERTUARY_").lower()
        _refuse_unknown(key, f"environment variable {name}: ")
        found[key] = value
    return found


def _refuse_unknown(key: str, where: str) -> None:
    known = _known()
    if key in known:
        return
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    raise ConfigError(f"{where}there is no setting {key!r}; did you mean {nearest[0]!r}?")


def _convert(key: str, value: object) -> object:
    if key in ("hostnames", "oidc_acr", "proxy_protocol_from", "metrics_from"):
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise ConfigError(f"setting {key!r} is a list")
        texts = tuple(str(part).strip() for part in parts if str(part).strip())
        return texts if key in ("hostnames", "oidc_acr") else tuple(parse_network(text) for text in texts)
    if isinstance(_known()[key].default, bool):
        return _truth(key, value)
    if isinstance(_known()[key].default, int):
        try:
            return int(str(value))
        except ValueError:
            raise ConfigError(f"setting {key!r} is a whole number, not {value!r}") from None
    if not isinstance(value, str):
        raise ConfigError(f"setting {key!r} is a text, not {value!r}")
    return value


def _truth(key: str, value: object) -> bool:
    known = {"true": True, "false": False}
    if str(value).lower() not in known:
        raise ConfigError(f"setting {key!r} is true or false, not {value!r}")
    return known[str(value).lower()]


def _check(settings: Settings) -> None:
    if settings.workers < 1:
        raise ConfigError("setting 'workers' is at least 1")
    if settings.workers > 1 and not settings.on_postgresql:
        raise ConfigError("SQLite serves one EST worker; for more, give --database-url postgresql://...")
    if bool(settings.tls_certificate_file) != bool(settings.tls_key_file):
        raise ConfigError("'tls_certificate_file' and 'tls_key_file' go together")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise ConfigError("setting 'log_level' is debug, info, warning or error")
    for key in ("est_port", "portal_port", "status_port"):
        if not 0 <= getattr(settings, key) <= 65535:
            raise ConfigError(f"setting {key!r} is a port, 0 to 65535")
    _check_provider(settings)
    if not (settings.portal_password_sign_in or settings.oidc_issuer or settings.portal_client_ca_file):
        raise ConfigError(
            "'portal_password_sign_in' is false, and there is no other way to sign in: set 'oidc_issuer' or "
            "'portal_client_ca_file'"
        )


def _check_provider(settings: Settings) -> None:
    """All of it, or nothing."""
    needed = ("oidc_issuer", "oidc_client_id", "oidc_client_secret_file")
    missing = [key for key in needed if not getattr(settings, key)]
    if missing == list(needed):
        return
    if missing:
        raise ConfigError(
            f"an identity provider takes {', '.join(map(repr, needed))}; {missing[0]!r} is not set"
        )
    try:
        OidcIdentity(issuer=settings.oidc_issuer, claim=settings.oidc_claim, subject="anybody")
    except InvalidValue as problem:
        raise ConfigError(f"'oidc_issuer' or 'oidc_claim': {problem.detail}") from None
    parts = urlsplit(settings.oidc_issuer)
    if not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            f"setting 'oidc_issuer' is an https:// address without query, not {settings.oidc_issuer!r}"
        )
    if settings.oidc_second_factor not in ("portal", "provider"):
        raise ConfigError("setting 'oidc_second_factor' is portal or provider")
