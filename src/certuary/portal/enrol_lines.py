"""Lines to paste that enrol a first certificate, as the documentation has them; no password in a process list."""

from __future__ import annotations

import contextlib
import re
import shlex
from typing import Final
from urllib.parse import urlsplit

from certuary.core.profile import Profile
from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, InvalidSeal
from certuary.portal.columns import texts
from certuary.portal.endpoints import Endpoint, Endpoints
from certuary.portal.example_request import example_request
from certuary.services.authorities import certificate_der, export_certificates
from certuary.services.ports import Record, RecordStore

_PLAIN: Final = re.compile(r"[A-Za-z0-9._@+-]+")
_NOT_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


def enrol_lines(application: Record, records: RecordStore, est_url: str) -> tuple[str, ...]:
    """Three pieces: what to trust, the password's file, the request."""
    by_password = f"--netrc-file {_netrc_file(application)}"
    return (
        _root_line(records),
        netrc_line(application, est_url),
        _request_lines(application, records, est_url, by_password),
    )


def client_certificate_lines(application: Record, records: RecordStore, est_url: str) -> tuple[str, ...]:
    """The same with an application certificate, saved from the page beside these lines, in place of the password."""
    name = file_name(application)
    unpack = (
        f"# Key and certificate as PEM, into a file that only you can read; it asks for the passphrase.\n"
        f"(umask 077; openssl pkcs12 -in {name}.p12 -nodes -out {name}.pem)"
    )
    return (
        _root_line(records),
        unpack,
        _request_lines(application, records, est_url, f"--cert {name}.pem"),
    )


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


def _request_lines(application: Record, records: RecordStore, est_url: str, credential: str) -> str:
    endpoint = next(iter(Endpoints.read(records).of(application.values)), None)
    labels = [endpoint.label] if endpoint else texts(application.values["labels"])[:1]
    url = "/".join((est_url, *filter(None, labels)))
    example = example_request(_profile(endpoint), _rule(str(application.values["subject_rule"])))
    utf8 = "" if example.subject.isascii() else " -utf8"
    extension = f" -addext {shlex.quote(example.extension)}" if example.extension else ""
    return (
        f"# A key, a request for it, and its certificate.\n"
        f"openssl req -new -newkey {example.key} -nodes -keyout device.key \\\n"
        f"  -subj {shlex.quote(example.subject)}{utf8}{extension} -outform DER | openssl base64 -A -out device.csr\n"
        f"curl -sS --fail-with-body --cacert root.pem {credential} \\\n"
        f'  -H "Content-Type: application/pkcs10" --data-binary @device.csr {url}/simpleenroll |\n'
        f"  openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out device.pem\n"
        f"openssl x509 -in device.pem -noout -subject -issuer -dates"
    )


def _profile(endpoint: Endpoint | None) -> Profile | None:
    """None for one that cannot be read, too: the password beside these lines is shown once, and they with it."""
    try:
        return None if endpoint is None else Profile.from_toml(str(endpoint.profile.values["toml"]))
    except CertuaryError:
        return None


def _rule(text: str) -> SubjectRule | None:
    try:
        return SubjectRule.parse(text) if text else None
    except CertuaryError:
        return None


def file_name(application: Record) -> str:
    """Without an ending; safe in every shell and file system."""
    return _NOT_IN_FILE_NAMES.sub("-", str(application.values["name"]))


def _netrc_file(application: Record) -> str:
    return f"{file_name(application)}.netrc"


def _netrc_word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
