"""What is wrong with a profile, at which key of its TOML, and whether a version is as it was saved."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.http import HttpRequest

from certuary.core.profile import Profile
from certuary.errors import InvalidMark, InvalidProfile
from certuary.portal.deps import deps_of
from certuary.services.lint_profile import Fault, find_faults
from certuary.services.ports import ProfileVersionRow

_FIELDS_OF_NODES: Final = (
    ("subjectAltName", "alternative_names.allow"),
    ("extKeyUsage", "extended_key_usage.allow"),
    ("keyUsage", "key_usage.allow"),
    ("basicConstraints", "basic_constraints.include"),
    ("certificatePolicies", "certificate_policies"),
    ("validity", "validity.lifetime"),
    ("subjectPublicKeyInfo", "keys.allow"),
    ("subject", "subject.required"),
)


def lint_findings(profile: Profile, now: datetime) -> list[tuple[str, str]]:
    """The key that is to blame, "" for none, and a sentence each; about a second."""
    try:
        found = find_faults(profile, now=now)
    except InvalidProfile as problem:
        return [(problem.path, problem.detail)]
    return [(_path_of(fault), f"a certificate made under it would be wrong: {fault.text}") for fault in found]


def is_altered(request: HttpRequest, row: ProfileVersionRow) -> bool:
    try:
        deps_of(request).marker.check_profile_version(row)
    except InvalidMark:
        return True
    return False


def _path_of(fault: Fault) -> str:
    return next((path for word, path in _FIELDS_OF_NODES if word in fault.node), "")
