"""Lint a profile when it is saved: one sample certificate per kind of key, through pkilint.

The samples are made by the code that makes real ones, with throwaway keys. pkilint runs in a process of its
own: it is big, and a worker must never hold it. Its finding codes are what a refused profile is told.
"""

from __future__ import annotations

import csv
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import SigningKey, SubjectKey, build_root, sign_plan
from certuary.core.lints import lint_plan
from certuary.core.names import ATTRIBUTE_NAMES
from certuary.core.profile import (
    CompiledProfile,
    NamesAndKey,
    Profile,
    compile_profile,
    issuer_facts,
    plan_certificate,
)
from certuary.errors import CertuaryError, InvalidProfile

TIMEOUT_SECONDS = 30.0
_LINT = """
import sys
from pkilint.bin.lint_pkix_cert import main
options = ["lint", "--severity", "ERROR", "--format", "CSV", "--document-format", "DER"]
sys.exit(max(main([*options, file]) for file in sys.argv[1:]))
"""
COMMAND = (sys.executable, "-c", _LINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A finding of the linter. `node` is where in the certificate, as pkilint writes it."""

    text: str
    node: str


# The pointers of a sample are not the profile's words; an address, as the linter knows no host of one label.
_STATUS_URL = "http://127.0.0.1:8080"
_SAMPLE_VALUES = {"C": ("DE",), "emailAddress": ("sample@example.com",), "DC": ("com", "example")}
_SAMPLE_NAMES: dict[str, x509.GeneralName] = {
    "dns": x509.DNSName("sample.example.com"),
    "ip": x509.IPAddress(ip_address("192.0.2.1")),
    "email": x509.RFC822Name("sample@example.com"),
    "uri": x509.UniformResourceIdentifier("https://sample.example.com/device"),
}


def lint_profile(
    profile: Profile,
    *,
    now: datetime,
    timeout_seconds: float = TIMEOUT_SECONDS,
    command: Sequence[str] = COMMAND,
) -> tuple[str, ...]:
    """What is wrong with the certificates this profile makes, one text each; empty when nothing is.

    `InvalidProfile` when no sample can be made or the linter gives no answer: then nothing is known to be
    right. About a second; `command` gets the samples' file names appended.
    """
    found = find_faults(profile, now=now, timeout_seconds=timeout_seconds, command=command)
    return tuple(fault.text for fault in found)


def find_faults(
    profile: Profile,
    *,
    now: datetime,
    timeout_seconds: float = TIMEOUT_SECONDS,
    command: Sequence[str] = COMMAND,
) -> tuple[Fault, ...]:
    """As `lint_profile`, each with the place in the certificate that it is about."""
    signer = ec.generate_private_key(ec.SECP256R1())
    compiled = _compiled(profile, signer, now)
    samples = [_sample(compiled, _public_key(word), signer, now) for word in _first_of_each_family(profile)]
    return _run_pkilint(samples, timeout_seconds, command)


def sample_certificate(profile: Profile, *, now: datetime) -> x509.Certificate:
    """What a profile makes, for looking at: for the first key it takes, under keys that are thrown away. EC samples
    cost a millisecond, RSA ones as much as their key. `InvalidProfile` when none can be made."""
    signer = ec.generate_private_key(ec.SECP256R1())
    word = next((word for word in profile.keys if not word.startswith("rsa-")), profile.keys[0])
    der = _sample(_compiled(profile, signer, now), _public_key(word), signer, now)
    return x509.load_der_x509_certificate(der)


def _compiled(profile: Profile, signer: SigningKey, now: datetime) -> CompiledProfile:
    root = build_root(signer.public_key(), organization="Sample", serial=_serial(), now=now)
    issuer = sign_plan(root, signer).certificate
    return compile_profile(profile, issuer_facts(issuer, name=profile.authority, status_url=_STATUS_URL))


def _first_of_each_family(profile: Profile) -> list[str]:
    return [
        next(word for word in profile.keys if word.partition("-")[0] == family)
        for family in profile.key_families
    ]


def _sample(compiled: CompiledProfile, public_key: SubjectKey, signer: SigningKey, now: datetime) -> bytes:
    request = sample_request(compiled.profile, public_key)
    try:
        plan = plan_certificate(request, compiled, serial=_serial(), now=now)
    except CertuaryError as refusal:
        raise InvalidProfile(f"the profile refuses a request made after it: {refusal}") from refusal
    findings = lint_plan(plan)
    if findings:
        raise InvalidProfile(f"a certificate made after it would be wrong: {findings[0]}")
    return sign_plan(plan, signer).der


def sample_request(profile: Profile, public_key: SubjectKey) -> NamesAndKey:
    """A request that uses every field the profile knows, once."""
    names = profile.alternative_names
    kinds = [*names.required, *sorted(names.allow - set(names.required))][: names.maximum]
    alternative_names = tuple(_SAMPLE_NAMES[kind] for kind in kinds)
    subject = x509.Name(
        [
            x509.NameAttribute(oid, value)
            for oid in sorted(profile.subject.allowed, key=lambda oid: oid.dotted_string)
            if oid not in profile.subject.fixed
            for value in _sample_values(profile, oid)
        ]
    )
    return NamesAndKey(
        subject=subject,
        alternative_names=alternative_names,
        public_key=public_key,
        spki_der=public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _sample_values(profile: Profile, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    word = ATTRIBUTE_NAMES[oid]
    if word == "CN" and profile.subject.common_name_listed:
        return ("sample.example.com" if "dns" in profile.alternative_names.allow else "192.0.2.1",)
    return _SAMPLE_VALUES.get(word, ("sample",))


def _public_key(word: str) -> SubjectKey:
    if word.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(word[4:-1])).public_key()
    if word == "ed25519":
        return ed25519.Ed25519PrivateKey.generate().public_key()
    curves = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[word]).public_key()


def _run_pkilint(
    samples: Sequence[bytes], timeout_seconds: float, command: Sequence[str]
) -> tuple[Fault, ...]:
    with tempfile.TemporaryDirectory(prefix="certuary-lint-") as folder:
        files = [Path(folder) / f"sample-{number}.der" for number in range(len(samples))]
        for file, sample in zip(files, samples, strict=True):
            file.write_bytes(sample)
        try:
            answer = subprocess.run(
                [*command, *map(str, files)],
                capture_output=True, text=True, timeout=timeout_seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise InvalidProfile(
                f"the linter gave no answer within {timeout_seconds:g} s; try again"
            ) from None
    if answer.returncode == 0:
        return ()
    findings = _findings(answer.stdout)
    if not findings:
        last_words = (answer.stderr.strip().splitlines() or ["without a word"])[-1]
        raise InvalidProfile(f"the linter failed: {last_words[:200]}")
    return findings


def _findings(output: str) -> tuple[Fault, ...]:
    """The rows of pkilint's CSV (node path, validator, severity, code, message), each said once."""
    rows = csv.reader(output.splitlines())
    found = [_fault(row) for row in rows if len(row) == 5 and row[0] != "node_path"]
    return tuple(dict.fromkeys(found))


def _fault(row: Sequence[str]) -> Fault:
    node = row[0].removeprefix("certificate.tbsCertificate.")
    return Fault(text=f"{row[3]}: {row[4] or row[1]} ({node})", node=node)


def _serial() -> int:
    return (1 << 100) | secrets.randbits(96)
