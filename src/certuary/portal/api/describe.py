"""What people change as the API gives it: names in place of numbers, no secret, and whether the seal holds."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from certuary.core.values import serial_to_text
from certuary.errors import InvalidMark, InvalidValue
from certuary.portal.api import answers
from certuary.portal.audit_events import described
from certuary.portal.certificate_fields import Section
from certuary.portal.certificate_status import status_word
from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.names import Names
from certuary.portal.people import is_compromised, viewer
from certuary.portal.rows import SealStates
from certuary.portal.second_factors import Factors, factors_by_user, factors_of, which_are_as_signed
from certuary.services.entitlement import CA_ADMINISTRATOR
from certuary.services.manage_identity import identities_of
from certuary.services.ports import CertificateRow, CrlRow, Record, StoredEvent
from certuary.services.set_property import KNOWN, warnings_about_property
from certuary.services.snapshot import is_active
from certuary.services.two_persons import digest_of
from certuary.store.models import Group, Profile
from certuary.store.sign_ins import last_sign_ins


class Describer:
    """For one request: names are read once."""

    def __init__(self, request: HttpRequest) -> None:
        self._deps = deps_of(request)
        self._seals = SealStates(request)
        self._tells_identities = viewer(request).role == CA_ADMINISTRATOR
        self._groups: Mapping[object, str] = dict(Group.objects.values_list("id", "code"))
        self._profiles: Mapping[object, str] = dict(Profile.objects.values_list("id", "name"))

    def approval(self, record: Record) -> answers.Approval:
        return answers.Approval(**self.approval_fields(record))

    def approval_fields(self, record: Record) -> dict[str, Any]:
        values = record.values
        words = ("kind", "change", "title", "requester", "state", "decided_by", "reason")
        return {
            "id": record.id,
            "name": str(values["name"]),
            **{name: _text(values[name]) for name in words},
            **{name: _moment(values[name]) for name in ("created_at", "expires_at", "decided_at")},
            "digest": digest_of(record),
            "seal_problem": None if record.removed_at else self._seals.problem(record),
        }

    def group(self, record: Record) -> answers.Group:
        return answers.Group(
            **self._sealed(record), code=str(record.values["code"]), name=str(record.values["name"])
        )

    def application(self, record: Record) -> answers.Application:
        return answers.Application(**self.application_fields(record))

    def application_fields(self, record: Record) -> dict[str, Any]:
        values = record.values
        return {
            **self._sealed(record),
            "name": str(values["name"]),
            "username": _text(values["username"]),
            "group": self._groups.get(values["group_id"]),
            "networks": texts(values["networks"]),
            "profiles": _names(values["profile_ids"], self._profiles),
            "labels": texts(values["labels"]),
            "subject_rule": _text(values["subject_rule"]),
            "enabled": _flag(values["enabled"]),
            "expires_at": _moment(values["expires_at"]),
        }

    def profile(self, record: Record) -> answers.Profile:
        return answers.Profile(**self.profile_fields(record))

    def profile_fields(self, record: Record) -> dict[str, Any]:
        values = record.values
        return {
            **self._sealed(record),
            "name": str(values["name"]),
            "current_version": _number(values["current_version"]),
        }

    def label(self, record: Record) -> answers.Label:
        name = str(record.values["name"])
        return answers.Label(
            **self._sealed(record),
            name=name,
            profile=self._profiles.get(record.values["profile_id"]),
            url=f"{self._deps.est_url}/{name}/simpleenroll",
        )

    def property(self, record: Record) -> answers.Property:
        return answers.Property(**self.property_fields(record))

    def property_fields(self, record: Record) -> dict[str, Any]:
        key, value = str(record.id), str(record.values["property_value"])
        is_read = key in KNOWN and is_active(record.values["status"])
        return {
            "property_key": key,
            "property_value": value,
            "status": str(record.values["status"]),
            "warnings": list(warnings_about_property(key, value, self._deps.records)) if is_read else [],
        }

    def authority(self, record: Record) -> answers.Authority:
        return answers.Authority(**self.authority_fields(record))

    def authority_fields(self, record: Record) -> dict[str, Any]:
        values = record.values
        issuer_id = _number(values["issuer_id"])
        issuer = None if issuer_id is None else self._deps.records.find("authority", id=issuer_id)
        return {
            **self._sealed(record),
            "name": str(values["name"]),
            "issuer": None if issuer is None else str(issuer.values["name"]),
            "not_before": _moment(values["not_before"]),
            "not_after": _moment(values["not_after"]),
            **{name: _text(values[name]) for name in ("kind", "subject", "serial", "key_type", "key_name")},
        }

    def crl(self, row: CrlRow, authority: Record) -> answers.Crl:
        try:
            self._deps.marker.check_crl(row)
            problem = None
        except InvalidMark as refusal:
            problem = refusal.detail
        return answers.Crl(
            number=row.number,
            this_update=row.this_update,
            next_update=row.next_update,
            url=f"{self._deps.status_url}/crl/{authority.values['name']}.crl",
            mark_problem=problem,
        )

    def users(self, records: Sequence[Record]) -> list[answers.User]:
        return [answers.User(**fields) for fields in self.user_fields(records)]

    def user_fields(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        known: Mapping[int, Factors] | None = None
        with suppress(InvalidValue):  # of a row that plain SQL wrote: then they are read one by one
            known = factors_by_user([number for user in records if isinstance(number := user.id, int)])
        signed_in = last_sign_ins([str(user.values["name"]) for user in records])
        holding = which_are_as_signed(records)
        return [
            {
                **self._sealed(user),
                "name": str(user.values["name"]),
                "role": _text(user.values["role"]),
                "groups": _names(user.values["group_ids"], self._groups),
                "enabled": _flag(user.values["enabled"]),
                "second_factors": _factors(user, known),
                "factors_hold": user.id in holding,
                "must_change_password": _flag(user.values["must_change_password"]),
                "key_compromised": is_compromised(self._seals.gate, user),
                "identities": self._identities(user),
                "signed_in_at": signed_in.get(str(user.values["name"])),
            }
            for user in records
        ]

    def _identities(self, user: Record) -> list[dict[str, str]] | None:
        if not self._tells_identities:
            return None
        return [identity.to_json() for identity in identities_of(user)]

    def _sealed(self, record: Record) -> dict[str, Any]:
        problem = self._seals.problem(record)
        return {
            "id": record.id,
            "version": record.version,
            "seal": "holds" if problem is None else "broken",
            "seal_problem": problem,
        }


def fresh(request: HttpRequest, record: Record) -> Record:
    """With the seal that the change has put on it."""
    return deps_of(request).records.find(record.kind, id=record.id) or record


def describe_certificate(row: CertificateRow, names: Names, now: datetime) -> dict[str, Any]:
    profile = names.profile(row)
    return {
        "serial": serial_to_text(row.serial),
        "authority_id": row.authority_id,
        "subject": row.subject,
        "alternative_names": row.alternative_names,
        "application": names.application(row) or None,
        "profile": None if profile is None else profile.name,
        "profile_version": None if profile is None else profile.number,
        "status": status_word(row, now),
        "not_before": row.not_before,
        "not_after": row.not_after,
        "issued_at": row.issued_at,
        "revoked_at": row.revoked_at,
        "revocation_reason": row.revocation_reason,
        "replaces": row.replaces,
    }


def describe_event(stored: StoredEvent) -> answers.Event:
    return answers.Event.model_validate(described(stored))


def describe_sections(sections: Sequence[Section]) -> list[answers.Section]:
    return [
        answers.Section(
            title=section.title,
            lines=[answers.Line(label=field.label, value=field.value) for field in section.fields],
        )
        for section in sections
    ]


def csr_pem(der: bytes | None) -> str | None:
    """As it came, also what no parser reads."""
    if der is None:
        return None
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n"


def _factors(user: Record, known: Mapping[int, Factors] | None) -> str | None:
    assert isinstance(user.id, int)
    try:
        return (factors_of(user.id) if known is None else known[user.id]).in_words
    except InvalidValue:
        return None


def _names(value: object, known: Mapping[object, str]) -> list[str]:
    """A number that leads nowhere stays one."""
    return [known.get(number, str(number)) for number in numbers(value)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
