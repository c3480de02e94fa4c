"""Who may open which page, in one table by the name of the URL. What is not here is denied.

The table says who may *open* a page. What a signed change may do is decided by `services.entitlement`, and which rows a
list shows by the user's groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER

Rule = Callable[[str], bool]


def PUBLIC(role: str) -> bool:  # noqa: N802  # reads as the constant it is
    """Before anybody has signed in."""
    return True


def roles(*allowed: str) -> Rule:
    return frozenset(allowed).__contains__


EVERYBODY: Final = roles(CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER, AUDITOR)
ADMINISTRATORS: Final = roles(CA_ADMINISTRATOR, ADMINISTRATOR)
CA_ADMINISTRATORS: Final = roles(CA_ADMINISTRATOR)
OFFICERS: Final = roles(CA_ADMINISTRATOR, OFFICER)

RULES: Final[Mapping[str, Rule]] = {
    "sign-in": PUBLIC,
    "csp-report": PUBLIC,
    "sign-out": EVERYBODY,
    "dashboard": EVERYBODY,
    "confirm": EVERYBODY,
    "groups": EVERYBODY,
    "group-new": CA_ADMINISTRATORS,
    "certificates": EVERYBODY,
    "certificate": EVERYBODY,
    "certificate-download": EVERYBODY,
    "certificate-revoke": OFFICERS,
    "authorities": EVERYBODY,
    "authority": EVERYBODY,
    "authority-download": EVERYBODY,
    "audit": EVERYBODY,
    "audit-export": EVERYBODY,
    "audit-event": EVERYBODY,
    "search": EVERYBODY,
    "seals": roles(CA_ADMINISTRATOR, AUDITOR),
    "seal": EVERYBODY,
    "seal-sign": CA_ADMINISTRATORS,
    "seal-forget": CA_ADMINISTRATORS,
}


def rule_of(name: str) -> Rule | None:
    return RULES.get(name)
