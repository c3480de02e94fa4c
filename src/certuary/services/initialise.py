"""Initialise a home: authorities, first user, groups, profiles, properties, a first application.

It may be interrupted anywhere and repeated. Keys that an earlier attempt made are taken up. All records are one
transaction, and the files with the secrets are written inside it, so that passwords are never committed unseen.
`chain.pem` is written last: a home that has it is initialised.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.certificate import KEY_TYPES, SigningKey
from certuary.core.profile_config import parse_profile
from certuary.core.values import serial_to_text
from certuary.errors import AlreadyExists, Conflict, InvalidValue
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_events import audit_row
from certuary.services.change_record import RecordChanges, change_records
from certuary.services.create_authority import (
    ISSUING_NAME,
    ROOT_NAME,
    NewAuthority,
    checked_organization,
    create_issuing,
    create_root,
)
from certuary.services.create_trust import create_trust
from certuary.services.entitlement import CA_ADMINISTRATOR, INSTALLER, Actor
from certuary.services.first_start import (
    FirstStart,
    chain_path,
    is_initialised,
    root_path,
    write_file,
    write_secrets,
)
from certuary.services.high_water import HighWater, high_water_path
from certuary.services.listener_certificate import (
    ListenerIssuer,
    listener_names,
    listener_path,
    renew_listener_certificate,
)
from certuary.services.manage_user import new_user_values
from certuary.services.names_and_times import checked_name, checked_password
from certuary.services.passwords import PEPPER_NAME, Passwords, generate_password
from certuary.services.ports import CertificateRow, CrlStore, KeyStore, Record
from certuary.services.publish_crl import CrlDeps, CrlIssuer, publish_crl
from certuary.services.register_application import FIRST_GROUP
from certuary.services.seal_changes import Sealing
from certuary.services.set_property import ACTIVE
from certuary.services.signing_key import (
    NewSigningKey,
    OperatorKeys,
    Signer,
    make_signing_key,
    open_operator_keys,
)
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY

FIRST_GROUP_NAME: Final = "Default"
FIRST_PROFILE: Final = "tls-device"
FIRST_APPLICATION: Final = "quickstart"
FIRST_NETWORKS: Final = ("127.0.0.0/8", "::1/128")
DEFAULT_ADMIN: Final = "admin"
_PEPPER_OCTETS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHome:
    """What is asked for. `admin_password` None asks for a generated one; the URLs have no slash at the end."""

    home: Path
    organization: str
    hostnames: tuple[str, ...]
    key_type: str
    admin_name: str
    admin_password: str | None
    est_url: str
    portal_url: str
    status_url: str
    command: str = "certuary"

    def __repr__(self) -> str:
        return f"NewHome({str(self.home)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialiseDeps:
    """`progress` is told each step before it begins."""

    keys: KeyStore
    keys_dir: Path
    changes: ChangeDeps
    crls: CrlStore
    progress: Callable[[str], None]


def initialise(new: NewHome, deps: InitialiseDeps) -> None:
    """`AlreadyExists` when the home is initialised, `Conflict` when the database belongs to another."""
    if is_initialised(new.home):
        raise AlreadyExists(f"{new.home} is initialised already")
    check_new_home(new)
    if deps.changes.records.find("authority", name=ISSUING_NAME) is None:
        _create(new, deps)
    root, issuing = _authority(deps, ROOT_NAME), _authority(deps, ISSUING_NAME)
    deps.progress("publishing the first CRLs")
    for authority in (root, issuing):
        _publish_first_crl(authority, deps)
    _issue_listener_certificate(new, root, issuing, deps)
    root_pem, issuing_pem = _pem(root), _pem(issuing)
    write_file(root_path(new.home), root_pem, mode=0o644)
    write_file(chain_path(new.home), issuing_pem + root_pem, mode=0o644)


def check_new_home(new: NewHome) -> None:
    """`InvalidValue` or `ConfigError` for what was given: said before anything is made."""
    if new.key_type not in KEY_TYPES:
        raise InvalidValue(
            f"a key type is one of {', '.join(KEY_TYPES)}, not {new.key_type!r}", rule="key-type"
        )
    checked_organization(new.organization)
    checked_name(new.admin_name, "a user")
    listener_names(new.hostnames)
    if new.admin_password is not None:
        checked_password(new.admin_password)


def load_pepper(keys: KeyStore) -> bytes:
    return keys.load_secret(PEPPER_NAME)


def shipped_profiles() -> tuple[str, ...]:
    """The TOML of the profiles that every installation starts with."""
    files = (resources.files("certuary") / "profiles").iterdir()
    named = sorted((file.name, file) for file in files if file.name.endswith(".toml"))
    return tuple(file.read_text("utf-8") for _, file in named)


def _create(new: NewHome, deps: InitialiseDeps) -> None:
    passwords = Passwords(_pepper(deps.keys))
    trust = create_trust(
        deps.keys,
        deps.keys_dir,
        instance=deps.changes.records.instance(),
        now=deps.changes.clock.now(),
    )
    deps.progress(f"making the keys of the root and the issuing authority ({new.key_type})")
    authorities = _create_authorities(new, deps)
    first = FirstStart(
        home=new.home,
        est_url=new.est_url,
        portal_url=new.portal_url,
        admin_name=new.admin_name,
        admin_password=generate_password() if new.admin_password is None else None,
        username=FIRST_APPLICATION,
        password=generate_password(),
        command=new.command,
    )
    deps.progress("writing the first records")
    password = first.admin_password or new.admin_password
    assert password is not None
    operator = open_operator_keys(deps.keys, trust)
    own = make_signing_key(new.admin_name, password, passwords, operator, deps.changes.clock.now())
    signed = replace(deps.changes, sealing=_sealing(new, own, operator))
    admin = new_user_values(
        new.admin_name,
        CA_ADMINISTRATOR,
        (),
        passwords.hash(password),
        own,
        must_change_password=first.admin_password is not None,
    )
    with change_records(INSTALLER, signed) as changes:
        _create_records(changes, first, authorities, admin, passwords)
        write_secrets(first)


def _sealing(new: NewHome, own: NewSigningKey, operator: OperatorKeys) -> Sealing:
    """The first user signs the first records, its own among them: the server's counter-signature stands for it."""
    actor = Actor(name=new.admin_name, role=CA_ADMINISTRATOR)
    signer = Signer(actor=actor, certificate=own.certificate, key=own.key)
    return Sealing(operator=operator, high_water=HighWater(high_water_path(new.home)), signer=signer)


def _pepper(keys: KeyStore) -> bytes:
    if (PEPPER_NAME, "secret") not in keys.names():
        keys.put_secret(PEPPER_NAME, secrets.token_bytes(_PEPPER_OCTETS))
    return load_pepper(keys)


def _create_authorities(new: NewHome, deps: InitialiseDeps) -> tuple[NewAuthority, NewAuthority]:
    now = deps.changes.clock.now()
    root = create_root(deps.keys, organization=new.organization, key_type=new.key_type, now=now, resume=True)
    issuing = create_issuing(
        deps.keys,
        root=root,
        organization=new.organization,
        key_type=new.key_type,
        now=now,
        status_url=new.status_url,
        resume=True,
    )
    return root, issuing


def _create_records(
    changes: RecordChanges,
    first: FirstStart,
    authorities: tuple[NewAuthority, NewAuthority],
    admin: Mapping[str, object],
    passwords: Passwords,
) -> None:
    root, issuing = authorities
    root_record = changes.create("authority", root.record_values(issuer_id=None))
    changes.create("authority", issuing.record_values(issuer_id=_number(root_record)))
    group = changes.create("group", {"code": FIRST_GROUP, "name": FIRST_GROUP_NAME})
    for toml in shipped_profiles():
        changes.create("profile", {"name": parse_profile(toml).name, "toml": toml})
    changes.create("user", admin)
    changes.create("application", _first_application(first, group, passwords))
    for key, value in ((PROFILE_PROPERTY, FIRST_PROFILE), (GROUP_PROPERTY, FIRST_GROUP)):
        changes.create("property", {"property_key": key, "property_value": value, "status": ACTIVE})


def _first_application(first: FirstStart, group: Record, passwords: Passwords) -> dict[str, object]:
    """Allowed from this machine only."""
    return {
        "name": FIRST_APPLICATION,
        "username": first.username,
        "password_hash": passwords.hash(first.password),
        "group_id": group.id,
        "networks": list(FIRST_NETWORKS),
        "profile_ids": [],
        "labels": [],
        "subject_rule": "",
        "enabled": True,
        "expires_at": None,
    }


def _authority(deps: InitialiseDeps, name: str) -> Record:
    """The record, whose key must be in this key store: a database is never shared by two sets of keys unseen."""
    record = deps.changes.records.find("authority", name=name)
    if record is None:
        raise Conflict(f"the database has no authority {name!r}: an installation of another kind uses it")
    held = (record.values["key_name"], record.values["kind"]) in deps.keys.names()
    if not held or _signer(record, deps.keys).public_key() != _certificate(record).public_key():
        raise Conflict(
            "the database belongs to another installation, whose keys are not in this home; "
            "for another node of it, copy that installation's home"
        )
    return record


def _publish_first_crl(authority: Record, deps: InitialiseDeps) -> None:
    issuer = CrlIssuer.from_record(authority)
    if deps.crls.latest_number(issuer.id) is not None:
        return
    crl_deps = CrlDeps(
        crls=deps.crls,
        clock=deps.changes.clock,
        marker=deps.changes.marker(),
        actor=INSTALLER.name,
        request_id=deps.changes.request_id,
    )
    publish_crl(issuer, _signer(authority, deps.keys), crl_deps)


def _issue_listener_certificate(new: NewHome, root: Record, issuing: Record, deps: InitialiseDeps) -> None:
    deps.progress("issuing the listener's certificate")
    issuer = ListenerIssuer(
        id=_number(issuing),
        name=ISSUING_NAME,
        certificate=_certificate(issuing),
        chain=(_der(issuing), _der(root)),
        signer=_signer(issuing, deps.keys),
        status_url=new.status_url,
    )
    renew_listener_certificate(
        listener_path(new.home),
        deps.keys,
        issuer,
        hostnames=new.hostnames,
        now=deps.changes.clock.now(),
        record=lambda row: _record_certificate(row, deps),
    )


def _record_certificate(row: CertificateRow, deps: InitialiseDeps) -> None:
    """Commits before the certificate is put in place."""
    target = serial_to_text(row.serial)
    detail = {"alternative_names": row.alternative_names, "not_after": row.not_after.isoformat()}
    with deps.changes.records.transaction() as transaction:
        transaction.add_certificate(replace(row, marker=deps.changes.marker()))
        transaction.add_audit(audit_row("listener.renewed", INSTALLER, target, detail, deps.changes))


def _signer(authority: Record, keys: KeyStore) -> SigningKey:
    return keys.load_key(str(authority.values["key_name"]), role=str(authority.values["kind"]))


def _number(record: Record) -> int:
    assert isinstance(record.id, int)
    return record.id


def _der(authority: Record) -> bytes:
    der = authority.values["certificate_der"]
    assert isinstance(der, bytes)
    return der


def _certificate(authority: Record) -> x509.Certificate:
    return x509.load_der_x509_certificate(_der(authority))


def _pem(authority: Record) -> bytes:
    return _certificate(authority).public_bytes(Encoding.PEM)
