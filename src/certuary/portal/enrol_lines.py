"""Lines to paste that enrol a first certificate, as the documentation has them; no password in a process list."""

from __future__ import annotations

import contextlib
import re
import shlex
from typing import Final
from urllib.parse import urlsplit

from cryptography.x509.oid import NameOID

from certuary.core.names import ATTRIBUTE_NAMES
from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, InvalidSeal
from certuary.portal.columns import texts
from certuary.services.authorities import certificate_der, export_certificates
from certuary.services.ports import Record, RecordStore

_PLAIN: Final = re.compile(r"[A-Za-z0-9._@+-]+")
_NOT_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


def enrol_lines(application: Record, records: RecordStore, est_url: str) -> tuple[str, ...]:
    """Three pieces: what to trust, the password's file, the request."""
    return (_root_line(records), netrc_line(application, est_url), _request_lines(application, est_url))


def netrc_line(application: Record, est_url: str) -> str:
    """It asks for the password on the terminal: typed there, it is in no history and no process list."""
    start = f"machine {urlsplit(est_url).hostname} login {_netrc_word(str(application.values['username']))}"
    return (
        f"# The password, into a file that only you can read; paste it when asked.\n"
        f"(umask 077; stty -echo 2> /dev/null; printf 'Password: '; IFS= read -r password\n"
        f" stty echo 2> /dev/null; echo\n"
        f" printf '%s password %s\\n' {shlex.quote(start)} \"$password\" > {_netrc_file(application)})"
    )


def _root_line(records: RecordStore) -> str:
    roots = []
    for record in records.all("authority"):
        if record.values["kind"] == "root":
            with contextlib.suppress(
                InvalidSeal
            ):  # the password beside these lines is shown once: they must appear
                roots.append(certificate_der(record))
    pem = export_certificates(tuple(roots), "pem").decode()
    return f"# What to trust: the root certificate.\ncat > root.pem <<'END'\n{pem}END"


def _request_lines(application: Record, est_url: str) -> str:
    subject, names = _example_names(str(application.values["subject_rule"]))
    extension = f" -addext {shlex.quote(f'subjectAltName=DNS:{names}')}" if names else ""
    labels = texts(application.values["labels"])
    url = f"{est_url}/{labels[0]}" if labels else est_url
    return (
        f"# A key, a request for it, and its certificate.\n"
        f"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key \\\n"
        f"  -subj {shlex.quote(subject)}{extension} -outform DER | openssl base64 -A -out device.csr\n"
        f"curl -sS --fail-with-body --cacert root.pem --netrc-file {_netrc_file(application)} \\\n"
        f'  -H "Content-Type: application/pkcs10" --data-binary @device.csr {url}/simpleenroll |\n'
        f"  openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out device.pem\n"
        f"openssl x509 -in device.pem -noout -subject -issuer -dates"
    )


def _example_names(rule: str) -> tuple[str, str]:
    """A subject, and a DNS name, that the rule permits."""
    try:
        parsed = SubjectRule.parse(rule) if rule else None
    except CertuaryError:
        parsed = None
    if parsed is None:
        return "/CN=device-1", ""
    host = next((f"device-1{name}" if name.startswith(".") else name for name in parsed.dns), "")
    attributes = [
        f"{ATTRIBUTE_NAMES.get(oid, oid.dotted_string)}={'1'.join(patterns[0].parts)}"
        for oid, patterns in parsed.template
    ]
    has_name = any(oid == NameOID.COMMON_NAME for oid, _ in parsed.template)
    if host and not has_name:
        attributes.append(f"CN={host}")
    return "".join(f"/{attribute}" for attribute in attributes) or "/", host


def _netrc_file(application: Record) -> str:
    return f"{_NOT_IN_FILE_NAMES.sub('-', str(application.values['name']))}.netrc"


def _netrc_word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
