"""Order an application certificate: key and request are made here, a process with the issuing key certifies them.

    plan (a dry run) -> key, PKCS#10 -> order, signed by the user -> commit -> wait -> PKCS#12

The private key and the passphrase live in this call and in its result, and nowhere else. An order that nobody answers
is withdrawn before the user is told so: then no worker can fulfil it any more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from certuary.core.alternative_names import is_host
from certuary.core.certificate import (
    KEY_TYPES,
    CertificatePlan,
    SigningKey,
    certificate_from_der,
    hash_for,
    is_issued_by,
)
from certuary.core.certificate_order import ORDER_LIFETIME, CertificateOrder
from certuary.core.names import alternative_names_text, subject_text
from certuary.core.pkcs12 import pack_pkcs12
from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial
from certuary.errors import (
    CertuaryError,
    DatabaseDown,
    InvalidValue,
    MalformedCertificate,
    OrderRefused,
    OrderUnanswered,
)
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.end_certificates import withdraw_order
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_named, find_profile
from certuary.services.fulfil_order import is_for_clients, plan_order
from certuary.services.passwords import generate_password
from certuary.services.ports import (
    CertificateReader,
    CertificateRow,
    OrderOutcome,
    OrderStore,
    Record,
    SignedOrder,
)
from certuary.services.rehearse_enrolment import RehearsalDeps
from certuary.services.seal_changes import Sealing
from certuary.services.snapshot import ActiveProfile, Application, Snapshot

PATIENCE_SECONDS: Final = 20.0
"""Longer than a worker that dies with an order keeps it from the others, and shorter than the order lasts."""
_LOOK_SECONDS: Final = 0.1
KEY_CHOICES: Final = ("ec-p256", "ec-p384", "rsa-3072", "rsa-4096")
"""What every reader of PKCS#12 takes; Ed25519 is not among them."""
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "rsa-3072": ("rsa-2048+", "rsa-3072+"),
    "rsa-4096": ("rsa-2048+", "rsa-3072+", "rsa-4096+"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateWanted:
    """As people write it. `dns_names` for a profile that asks for one."""

    application: str
    profile: str
    common_name: str
    dns_names: tuple[str, ...] = ()
    key_type: str = KEY_CHOICES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDeps:
    """`rehearsal` is the configuration as it is now, with stand-ins for the issuing keys."""

    orders: OrderStore
    reader: CertificateReader
    rehearsal: RehearsalDeps
    sleep: Callable[[float], None] = time.sleep
    steady: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """`pkcs12` opens with `passphrase`; both are shown once and kept nowhere."""

    certificate: CertificateRow
    pkcs12: bytes = field(repr=False)
    passphrase: str = field(repr=False)


def profiles_for_clients(deps: OrderDeps) -> tuple[ActiveProfile, ...]:
    """Those that are believed, can be used and make certificates that clients sign in with; by name."""
    profiles = deps.rehearsal.snapshot().profiles.values()
    return tuple(sorted(filter(is_for_clients, profiles), key=lambda one: one.profile.name))


def fitting_keys(profile: ActiveProfile) -> tuple[str, ...]:
    """The kinds of key that may be made for a certificate of this profile."""
    allowed = set(profile.profile.keys)
    return tuple(choice for choice in KEY_CHOICES if allowed & {choice, *_WORDS.get(choice, ())})


def rehearse_order(wanted: CertificateWanted, deps: OrderDeps) -> CertificatePlan:
    """What a worker would issue, or the refusal that it would answer with: nothing is signed for nothing."""
    snapshot = deps.rehearsal.snapshot()
    application, profile = _named(wanted, snapshot)
    csr_der = _make_request(wanted, _stand_in(_key_type(wanted)))
    now = deps.rehearsal.clock.now()
    serial = make_serial(int(now.timestamp() * 1000), secrets.token_bytes(SERIAL_RANDOM_OCTETS))
    planned = plan_order(csr_der, application, profile, now=now, serial=serial, deps=deps.rehearsal.enrol)
    return planned.plan


def order_certificate(
    actor: Actor, wanted: CertificateWanted, deps: ChangeDeps, order_deps: OrderDeps
) -> ClientCertificate:
    """`OrderRefused` says by its rule what the worker found; `OrderUnanswered` that there was none: both once the order
    is committed. Blocking, for up to `PATIENCE_SECONDS`."""
    application = find_named(deps.records, "application", wanted.application)
    profile = find_profile(deps.records, wanted.profile)
    key = KEY_TYPES[_key_type(wanted)].generate()
    with change_records(actor, deps) as changes:
        order = _make_order(application, profile, _make_request(wanted, key), deps)
        signed = _sign(order, changes.sealing)
        changes.order_certificate(application, signed, _detail(wanted, profile))
    try:
        outcome = _wait(order, order_deps) or _withdraw(actor, order, deps, order_deps)
        if outcome.serial is None or outcome.authority_id is None:
            raise OrderRefused.of(outcome.reason, outcome.detail)
        return _pack(key, outcome, application, deps, order_deps)
    except CertuaryError as problem:
        problem.is_recorded = True  # the order, and the approval that it used up
        raise


def _named(wanted: CertificateWanted, snapshot: Snapshot) -> tuple[Application, ActiveProfile]:
    applications = snapshot.applications_by_id.values()
    application = next((one for one in applications if one.name == wanted.application), None)
    profile = next((one for one in snapshot.profiles.values() if one.profile.name == wanted.profile), None)
    if application is None or profile is None:
        raise OrderRefused("its application or its profile cannot be used at present")
    return application, profile


def _key_type(wanted: CertificateWanted) -> str:
    if wanted.key_type not in KEY_CHOICES:
        raise InvalidValue(
            f"{wanted.key_type!r} is not a key that can be made; choose from {', '.join(KEY_CHOICES)}",
            rule="key-type",
        )
    return wanted.key_type


@lru_cache(maxsize=len(KEY_CHOICES))
def _stand_in(key_type: str) -> SigningKey:
    """For dry runs, which certify nothing: an RSA key takes half a second to make."""
    return KEY_TYPES[key_type].generate()


def _make_request(wanted: CertificateWanted, key: SigningKey) -> bytes:
    """The PKCS#10 (RFC 2986), DER."""
    common_name = wanted.common_name.strip()
    if not 0 < len(common_name) <= 64 or not common_name.isprintable():
        raise InvalidValue("a common name is 1 to 64 printable characters (RFC 5280)", rule="common-name")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject)
    if wanted.dns_names:
        names = x509.SubjectAlternativeName([_dns_name(text) for text in wanted.dns_names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hash_for(key)).public_bytes(Encoding.DER)


def _dns_name(text: str) -> x509.DNSName:
    if not is_host(text.removeprefix("*.")):
        raise InvalidValue(f"{text[:80]!r} is not a DNS name of letters, digits and hyphens", rule="dns-name")
    return x509.DNSName(text)


def _make_order(application: Record, profile: Record, csr_der: bytes, deps: ChangeDeps) -> CertificateOrder:
    version_id = profile.values["version_id"]
    assert isinstance(application.id, int)
    assert isinstance(version_id, int)
    ordered_at = deps.clock.now()
    return CertificateOrder(
        id=secrets.token_hex(16),
        application_id=application.id,
        profile_version_id=version_id,
        csr_der=csr_der,
        request_id=deps.request_id,
        address=deps.address,
        ordered_at=ordered_at,
        expires_at=ordered_at + ORDER_LIFETIME,
    )


def _sign(order: CertificateOrder, sealing: Sealing) -> SignedOrder:
    seal = sealing.sign(order.statement(sealing.trust.instance), {}, order.ordered_at)
    return SignedOrder(order=order, seal=seal.to_text())


def _detail(wanted: CertificateWanted, profile: Record) -> dict[str, object]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name.strip())])
    names = alternative_names_text([_dns_name(text) for text in wanted.dns_names])
    return {
        "subject": subject_text(subject),
        "alternative_names": names,
        "profile": profile.values["name"],
        "version": profile.values["current_version"],
        "key": wanted.key_type,
    }


def _wait(order: CertificateOrder, deps: OrderDeps) -> OrderOutcome | None:
    end = deps.steady() + PATIENCE_SECONDS
    while deps.steady() < end:
        deps.sleep(_LOOK_SECONDS)
        try:
            outcome = deps.orders.outcome(order.id)
        except DatabaseDown:
            continue  # it may be back while the order lasts
        if outcome is not None:
            return outcome
    return None


def _withdraw(actor: Actor, order: CertificateOrder, deps: ChangeDeps, order_deps: OrderDeps) -> OrderOutcome:
    """Decide that there will be no certificate, unless a worker was quicker."""
    reason = "no EST worker answered in time, and the order is withdrawn: nothing was issued, nor will be"
    with deps.records.transaction() as transaction:
        is_ours = withdraw_order(transaction, order.id, OrderUnanswered.rule, reason, actor, deps)
    found = None if is_ours else order_deps.orders.outcome(order.id)
    if found is None:
        raise OrderUnanswered(
            f"{reason}; see on /readyz whether EST workers run, and try again", retry_after=5
        )
    return found


def _pack(
    key: SigningKey, outcome: OrderOutcome, application: Record, deps: ChangeDeps, order_deps: OrderDeps
) -> ClientCertificate:
    """An outcome is anybody's word: what counts is a believed certificate over the key that was made here."""
    assert outcome.authority_id is not None
    assert outcome.serial is not None
    row = order_deps.reader.by_serial(outcome.authority_id, outcome.serial)
    authority = order_deps.rehearsal.snapshot().authorities.get(outcome.authority_id)
    if row is None or authority is None:
        raise OrderRefused("the certificate is not where its outcome says; it was altered")
    deps.marker().check_certificate(row)
    certificate = _load(row.der)
    if _spki(certificate) != _spki(key) or not is_issued_by(certificate, authority.certificate):
        raise OrderRefused("the certificate is not for the key that was made; its outcome was altered")
    passphrase = generate_password()
    pkcs12 = pack_pkcs12(
        key,
        certificate,
        [_load(der) for der in authority.chain],
        friendly_name=str(application.values["name"]),
        passphrase=passphrase,
    )
    return ClientCertificate(certificate=row, pkcs12=pkcs12, passphrase=passphrase)


def _load(der: bytes) -> x509.Certificate:
    try:
        return certificate_from_der(der)
    except MalformedCertificate:
        raise OrderRefused("a certificate in the database cannot be parsed; it was altered") from None


def _spki(certificate: x509.Certificate | SigningKey) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
