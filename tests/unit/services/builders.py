"""Small real values for tests of services."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from certuary.services.certificate_directory import CertificateIdentity
from certuary.services.snapshot import Application, Snapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def application(**changes: Any) -> Application:
    values: dict[str, Any] = {
        "id": 1,
        "name": "plant",
        "username": "plant",
        "password_hash": "$argon2id$plant",
        "group_id": 1,
        "networks": (),
        "profile_ids": frozenset(),
        "labels": frozenset(),
        "enabled": True,
        "expires_at": None,
        "subject_rule": None,
    }
    return Application(**values | changes)


def identity(**changes: Any) -> CertificateIdentity:
    values: dict[str, Any] = {
        "authority_id": 2,
        "serial": 0x1234,
        "application_id": 1,
        "not_before": datetime(2026, 1, 1, tzinfo=UTC),
        "not_after": datetime(2027, 1, 1, tzinfo=UTC),
        "subject": name("dev-1"),
        "alternative_names": (x509.DNSName("dev-1.example"),),
        "is_ra": False,
        "speaks_for_application": False,
    }
    return CertificateIdentity(**values | changes)


def snapshot(*applications: Application, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "revision": 1,
        "authorities": {},
        "profiles": {},
        "labels": {},
        "groups": {},
        "applications": {one.username: one for one in applications},
        "applications_by_id": {one.id: one for one in applications},
        "properties": {},
        "disabled_reason": None,
        "default_profile_id": 1,
        "default_group_id": 1,
        "cacerts_authentication": "default",
    }
    return Snapshot(**values | changes)
