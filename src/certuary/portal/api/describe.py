"""Records as the API gives them: names in place of numbers, no secret, and whether the seal holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

from certuary.core.values import serial_to_text
from certuary.portal.certificate_status import status_word
from certuary.portal.rows import SealStates
from certuary.services.ports import SEALED_KINDS, CertificateRow, Record
from certuary.store.models import Group, Profile

_HIDDEN: Final = frozenset(
    {
        "password_hash",
        "signing_key",
        "signing_certificate",
        "compromised_keys",
        "certificate_der",
        "toml",
        "version_id",
    }
)


class Describer:
    """For one request: names are read once."""

    def __init__(self, request: HttpRequest) -> None:
        self._seals = SealStates(request)
        self._groups: Mapping[object, str] = dict(Group.objects.values_list("id", "code"))
        self._profiles: Mapping[object, str] = dict(Profile.objects.values_list("id", "name"))

    def record(self, record: Record) -> dict[str, Any]:
        found: dict[str, Any] = {} if record.kind == "property" else {"id": record.id}
        for key, value in record.values.items():
            if key not in _HIDDEN:
                name, shown = self._named(key, value)
                found[name] = _text(shown)
        if record.kind in SEALED_KINDS:
            problem = self._seals.problem(record)
            found["version"] = record.version
            found["seal"] = "holds" if problem is None else f"broken: {problem}"
        return found

    def _named(self, key: str, value: object) -> tuple[str, object]:
        if key == "group_id":
            return "group", self._groups.get(value, value)
        if key == "profile_id":
            return "profile", self._profiles.get(value, value)
        if key == "group_ids" and isinstance(value, list | tuple):
            return "groups", [self._groups.get(number, number) for number in value]
        if key == "profile_ids" and isinstance(value, list | tuple):
            return "profiles", [self._profiles.get(number, number) for number in value]
        return key, value


def describe_certificate(row: CertificateRow, application: str | None, now: datetime) -> dict[str, Any]:
    return {
        "serial": serial_to_text(row.serial),
        "authority_id": row.authority_id,
        "subject": row.subject,
        "alternative_names": row.alternative_names,
        "application": application,
        "status": status_word(row, now),
        "not_before": row.not_before.isoformat(),
        "not_after": row.not_after.isoformat(),
        "issued_at": row.issued_at.isoformat(),
        "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(),
        "revocation_reason": row.revocation_reason,
        "replaces": row.replaces,
    }


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
