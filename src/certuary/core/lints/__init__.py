"""Lints: what every end-entity plan is checked against just before it is signed.

The profile made the plan, and these rules do not trust it: each is written from the standard alone, one
rule to a file, so that a mistake in the one does not repeat itself in the other. A new lint is a new file
with `RULE`, `CLAUSE` and `check`, and its line in `LINTS`.
"""

from __future__ import annotations

from certuary.core.certificate import CertificatePlan
from certuary.core.lints import (
    authority_information,
    backdate,
    distinct_extensions,
    extended_key_usage,
    key_identifiers,
    key_usage,
    not_a_ca,
    serial_number,
    subject_alternative_name,
    validity,
)
from certuary.core.lints.finding import Finding

__all__ = ["LINTS", "Finding", "lint_plan"]

LINTS = (
    serial_number,
    validity,
    backdate,
    subject_alternative_name,
    distinct_extensions,
    not_a_ca,
    key_usage,
    extended_key_usage,
    key_identifiers,
    authority_information,
)
_CHECKS = tuple((lint.check, lint.RULE, lint.CLAUSE) for lint in LINTS)


def lint_plan(plan: CertificatePlan) -> tuple[Finding, ...]:
    """What is wrong with an end-entity plan; empty when it may be signed."""
    extensions = {type(each.value): each for each in plan.extensions}
    findings = []
    for check, rule, clause in _CHECKS:
        detail = check(plan, extensions)
        if detail:
            findings.append(Finding(rule=rule, clause=clause, detail=detail))
    return tuple(findings)
