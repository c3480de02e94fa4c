"""Where each page of the busy home is: one address or more for every name in the portal's table of URLs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.browser.busy_home import BROKEN, LONG_NAME

NO_PAGES: Final = {
    "sign-in": "opens to strangers; the journey of the first sign-in looks at it",
    "account_login": "the library's name for sign-in",
    "sign-in-oidc": "a button of the sign-in; the journey of the ways in looks at it",
    "sign-in-oidc-back": "where the provider leads back; the journey of the ways in goes there",
    "sign-in-certificate": "a button of the sign-in; the journey of the ways in presses it",
    "mfa_authenticate": "opens after a password; the journey of the second factors looks at it",
    "confirm": "opens after a form; `test_screens` goes there",
    "sign-out": "has nothing to read",
    "csp-report": "browsers post to it",
    "application-understand": "a part of a form",
    "approval": "takes a request that waits; the journey of the approvals looks at it",
    "approval-approve": "a button of the request's page",
    "approval-reject": "a button of the request's page",
    "approval-withdraw": "a button of the request's page",
    "switch-set": "a button of the list",
    "application-act": "a button of the application's page",
    "property-unset": "a button of the list",
    "label-remove": "a button of the list",
    "user-enable": "a button of the user's page",
    "user-disable": "a button of the user's page",
    "user-password": "a button of the user's page",
    "user-factors": "a button of the user's page",
    "user-identity-new": "opens where there is another way in; the journey of the ways in looks at it",
    "user-identity-remove": "a button of the user's page",
    "account-sessions": "a button of My account",
    "account-factor-remove": "a button of My account",
    "account-recovery-codes": "a button of My account",
    "api-token-revoke": "a button of the list",
    "seal-sign": "a button of the seal's page",
    "seal-forget": "a button of the seal's page",
    "profile-choose-comparison": "leads to the comparison",
    "profile-toml": "a download",
    "certificate-download": "a download",
    "authority-download": "a download",
    "audit-export": "a download",
    "api-openapi": "JSON",
}


def addresses(home: Path, request_id: str) -> Mapping[str, tuple[str, ...]]:
    """`request_id` is one that was refused."""
    number = _Numbers(home)
    application = number.of("SELECT id FROM applications WHERE name = 'PLCs of line 1'")
    broken = number.of("SELECT id FROM applications WHERE name = ?", BROKEN)
    longest = number.of("SELECT id FROM applications WHERE name = ?", LONG_NAME)
    profile = number.of("SELECT id FROM profiles WHERE name = 'tls-device'")
    user = number.of("SELECT id FROM users WHERE name = 'm.okonkwo'")
    serials = number.column("SELECT serial FROM certificates WHERE source = 'est' ORDER BY id DESC LIMIT 3")
    revoked = number.of("SELECT serial FROM certificates WHERE revoked_at IS NOT NULL LIMIT 1")
    altered = number.of("SELECT serial FROM certificates WHERE subject = 'CN=somebody-else'")
    event = number.of("SELECT id FROM audit_events WHERE kind = 'application.added' LIMIT 1")
    return {
        "dashboard": ("/",),
        "approvals": ("/approvals/", "/approvals/?state=decided"),
        "switches": ("/switches/",),
        "groups": ("/groups/",),
        "group-new": ("/groups/new/",),
        "group": ("/groups/1/", "/groups/5/"),
        "group-edit": ("/groups/5/edit/",),
        "users": ("/users/", "/users/?q=nobody-of-this-name"),
        "user-new": ("/users/new/",),
        "user": (f"/users/{user}/",),
        "user-edit": (f"/users/{user}/edit/",),
        "user-compromised": (f"/users/{user}/compromised/",),
        "account": ("/account/",),
        "account-password": ("/account/password/",),
        "account-totp": ("/account/2fa/totp/",),
        "account-passkey": ("/account/2fa/passkeys/new/",),
        "applications": (
            "/applications/",
            "/applications/?q=Rueck&status=enabled",
            "/applications/?q=none-of-these",
        ),
        "application-new": ("/applications/new/",),
        "application": tuple(f"/applications/{each}/" for each in (application, broken, longest)),
        "application-edit": (f"/applications/{longest}/edit/",),
        "application-rotate": (f"/applications/{application}/rotate/",),
        "application-client-certificate": (f"/applications/{application}/client-certificate/",),
        "properties": ("/properties/",),
        "property-set": ("/properties/set/",),
        "profiles": ("/profiles/",),
        "profile-new": ("/profiles/new/",),
        "profile": ("/profiles/1/", "/profiles/6/"),
        "profile-edit": ("/profiles/1/edit/",),
        "profile-compare": (f"/profiles/{profile}/versions/1..2/",),
        "labels": ("/labels/",),
        "label-new": ("/labels/new/",),
        "refusals": ("/refusals/",),
        "refusal-try": ("/refusals/try/",),
        "refusal": (f"/refusals/{request_id}/", "/refusals/0193-not-one-of-ours/"),
        "certificates": ("/certificates/", "/certificates/?q=none-of-these"),
        "certificate": tuple(f"/certificates/{each}/" for each in (*serials, revoked, altered)),
        "certificate-revoke": (f"/certificates/{serials[0]}/revoke/",),
        "authorities": ("/authorities/",),
        "authority": ("/authorities/1/", "/authorities/2/"),
        "audit": ("/audit/", "/audit/?kind=no.such"),
        "audit-event": (f"/audit/{event}/",),
        "search": ("/search/?q=line", "/search/?q=nothing-like-this", "/search/?q="),
        "seals": ("/seals/",),
        "seal": (f"/seals/application/{application}/", f"/seals/application/{broken}/"),
        "api-tokens": ("/account/tokens/",),
        "api-token-new": ("/account/tokens/new/",),
        "api-docs": ("/api/v1/docs", "/api/v1/docs?subject=Applications", "/api/v1/docs?subject=Users"),
    }


class _Numbers:
    def __init__(self, home: Path) -> None:
        self._path = home / "certuary.db"

    def of(self, sql: str, *values: str) -> Any:
        (first, *_) = self.column(sql, *values)
        return first

    def column(self, sql: str, *values: str) -> list[Any]:
        connection = sqlite3.connect(self._path, timeout=20)
        try:
            return [row[0] for row in connection.execute(sql, values)]
        finally:
            connection.close()
