"""Refused requests, as far as the reader may see them, and a dry run's steps in words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpRequest

from certuary.core.certificate import CertificatePlan, sign_plan
from certuary.core.enrolment_step import Step
from certuary.errors import InvalidValue
from certuary.portal.deps import deps_of
from certuary.portal.scope import Scope
from certuary.services.ports import Record
from certuary.store.enrolments import FoundEnrolment, FoundEvent, PageKey, find_enrolments, find_events

_REQUEST_ID: Final = re.compile(r"[0-9a-f]{32}")
_STRANGER_KINDS: Final = ("authentication.refused", "authentication.rate-limited")
STEP_WORDS: Final = {
    Step.ENDPOINT: ("EST and label", "The label is known, and EST is enabled for its profile"),
    Step.APPLICATION: ("Application", "It is enabled, has not expired, and the address is in its networks"),
    Step.BODY: ("Body", "It is base64, PEM or DER"),
    Step.PKCS10: ("PKCS#10", "It is a well-formed certification request"),
    Step.KEY: ("Key policy", "The key is of an accepted kind and size, and not a known weak one"),
    Step.POSSESSION: ("Proof of possession", "The request is signed by its own key"),
    Step.LINKING: (
        "Linking",
        "A challengePassword belongs to the TLS connection; a dry run has none and takes it for right",
    ),
    Step.GRANT: ("Grants", "The application may use this label and this profile"),
    Step.NAMES: ("Names", "On renewal: the application holds a valid certificate of these names"),
    Step.KEY_REUSE: ("Key reuse", "The profile allows this key again, if it was certified before"),
    Step.PROFILE: (
        "Profile",
        "Subject, alternative names, key type and extensions are as the profile has them",
    ),
    Step.SUBJECT_RULE: ("Subject rule", "The application may ask for these names"),
    Step.LINT: ("Lint", "The certificate would keep to RFC 5280"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request was not granted. `enrolment` is None for a stranger's, whose request was not read."""

    request_id: str
    at: datetime
    rule: str
    sentence: str
    address: str
    enrolment: FoundEnrolment | None
    application: Record | None


def find_refusal(request: HttpRequest, request_id: str) -> Refusal | None:
    """By a request's id, also one that was granted. What somebody may not see is not there."""
    if not _REQUEST_ID.fullmatch(request_id):
        return None
    events = find_events(request_id)
    for found in find_enrolments(request_id):
        application = _application(request, found)
        if Scope.of(request).has_application(application):
            return _of_application(found, application, events)
    strangers = [event for event in events if event.kind in _STRANGER_KINDS]
    if strangers and Scope.of(request).sees_everything:
        return _of_stranger(request_id, strangers[0])
    return None


def parse_page_key(text: str) -> PageKey | None:
    """None for "", the first page. `InvalidValue` for what `page_key_text` never made."""
    at, _, number = text.rpartition("_")
    try:
        return PageKey(datetime.fromtimestamp(int(at) / 1_000_000, UTC), int(number)) if text else None
    except (ValueError, OverflowError, OSError):
        raise InvalidValue("there is no such page", rule="cursor") from None


def page_key_text(found: FoundEnrolment) -> str:
    microseconds = (found.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return f"{microseconds}_{found.id}"


def sample_of(plan: CertificatePlan) -> x509.Certificate:
    """Signed with a key that is thrown away, only so that the one decoder can read it."""
    return sign_plan(plan, ec.generate_private_key(ec.SECP256R1())).certificate


def _application(request: HttpRequest, found: FoundEnrolment) -> Record | None:
    if found.application_id is None:
        return None
    return deps_of(request).records.find_ever("application", found.application_id)


def _of_application(
    found: FoundEnrolment, application: Record | None, events: tuple[FoundEvent, ...]
) -> Refusal:
    detail = next((_detail(event) for event in events if event.kind == "enrolment.refused"), {})
    return Refusal(
        request_id=found.request_id,
        at=found.at,
        rule=found.reason,
        sentence=str(detail.get("text", "")),
        address=found.address,
        enrolment=found,
        application=application,
    )


def _of_stranger(request_id: str, event: FoundEvent) -> Refusal:
    return Refusal(
        request_id=request_id,
        at=event.at,
        rule="rate-limited" if event.kind == "authentication.rate-limited" else "not-authenticated",
        sentence=str(_detail(event).get("reason", "")),
        address=event.address,
        enrolment=None,
        application=None,
    )


def _detail(event: FoundEvent) -> dict[str, Any]:
    try:
        detail = json.loads(event.detail)
    except ValueError:
        return {}
    return detail if isinstance(detail, dict) else {}
