"""What a newcomer needs first: the secrets that `init` made up, and lines to paste that enrol a certificate."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from certuary.errors import ConfigError
from certuary.services.durable_file import replace_durably


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStart:
    """`admin_password` is None when the administrator brought one. `est_url` has no slash at the end; `command` is
    what a shell finds this program by."""

    home: Path
    est_url: str
    portal_url: str
    admin_name: str
    admin_password: str | None
    username: str
    password: str
    command: str = "certuary"

    def __repr__(self) -> str:
        return f"FirstStart({str(self.home)!r})"


def root_path(home: Path) -> Path:
    return home / "root.pem"


def chain_path(home: Path) -> Path:
    """Written last of all: a home that has it is initialised."""
    return home / "chain.pem"


def is_initialised(home: Path) -> bool:
    return chain_path(home).exists()


def first_start_path(home: Path) -> Path:
    return home / "first-start.txt"


def netrc_path(home: Path) -> Path:
    return home / "quickstart.netrc"


def write_secrets(first: FirstStart) -> None:
    """Both files are for their owner alone (0600)."""
    host = urlsplit(first.est_url).hostname
    netrc = f"machine {host} login {first.username} password {first.password}\n"
    write_file(netrc_path(first.home), netrc.encode())
    write_file(first_start_path(first.home), first_start_text(first).encode())


def write_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    try:
        replace_durably(path, content, mode=mode)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be written: {problem.strerror}") from None


def forget_secrets(home: Path) -> tuple[Path, ...]:
    """Delete both files; gives back those that were there."""
    forgotten = []
    for path in (first_start_path(home), netrc_path(home)):
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise ConfigError(f"{path} cannot be deleted: {problem.strerror}") from None
        forgotten.append(path)
    return tuple(forgotten)


def first_start_text(first: FirstStart) -> str:
    quoted = shlex.quote
    admin_password = first.admin_password or "(the one you gave)"
    replaced = "  before it signs anything in the portal, it must be replaced there: My account\n"
    curl = f"curl -sS --fail-with-body --cacert {quoted(str(root_path(first.home)))}"
    netrc = f"--netrc-file {quoted(str(netrc_path(first.home)))}"
    post = '-H "Content-Type: application/pkcs10" --data-binary @device.csr'
    to_pem = "openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs"
    root = quoted(str(root_path(first.home)))
    forget = f"{quoted(first.command)} init --home {quoted(str(first.home))} --forget-secrets"
    return f"""\
Certuary: first start

EST                     {first.est_url}
Portal                  {first.portal_url}
CA Administrator        {first.admin_name}
  password              {admin_password}
{replaced if first.admin_password else ""}Application             {first.username}, from this machine only
  password              {first.password}

Keep the two passwords where you keep passwords, then delete this file and quickstart.netrc:

{forget}

The CA certificates:

{curl} {first.est_url}/cacerts | {to_pem} -out cacerts.pem

A key and a certificate request:

openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key \
-subj "/CN=device-1" -outform DER | openssl base64 -A -out device.csr

Enrol:

{curl} {netrc} {post} {first.est_url}/simpleenroll | {to_pem} -out device.pem

Look at it and verify it:

openssl x509 -in device.pem -noout -subject -issuer -dates
openssl verify -CAfile {root} -untrusted cacerts.pem device.pem

Renew it with itself:

{curl} --cert device.pem --key device.key {post} {first.est_url}/simplereenroll | {to_pem} -out device.pem
"""
