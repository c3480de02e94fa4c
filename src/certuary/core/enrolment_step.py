"""The steps of an enrolment, in the order of their refusals, by name."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    ENDPOINT = "endpoint"
    APPLICATION = "application"
    BODY = "body"
    PKCS10 = "pkcs10"
    KEY = "key"
    POSSESSION = "possession"
    LINKING = "linking"
    GRANT = "grant"
    NAMES = "names"
    KEY_REUSE = "key-reuse"
    PROFILE = "profile"
    SUBJECT_RULE = "subject-rule"
    LINT = "lint"
