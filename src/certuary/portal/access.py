"""Who may open which page, in one table by the name of the URL. What is not here is denied.

The table says who may *open* a page. What a signed change may do is decided by `services.entitlement`, and which rows a
list shows by the user's groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.http import HttpRequest

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER

Rule = Callable[[str], bool]


def PUBLIC(role: str) -> bool:  # noqa: N802  # reads as the constant it is
    """Before anybody has signed in."""
    return True


def may_administer(request: HttpRequest) -> bool:
    """Whether the buttons that change things are worth showing; the services decide."""
    return ADMINISTRATORS(getattr(request.user, "role", ""))


def roles(*allowed: str) -> Rule:
    return frozenset(allowed).__contains__


EVERYBODY: Final = roles(CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER, AUDITOR)
ADMINISTRATORS: Final = roles(CA_ADMINISTRATOR, ADMINISTRATOR)
CA_ADMINISTRATORS: Final = roles(CA_ADMINISTRATOR)
OFFICERS: Final = roles(CA_ADMINISTRATOR, OFFICER)
may_see_nodes: Final = roles(CA_ADMINISTRATOR, AUDITOR)
DECIDERS: Final = roles(CA_ADMINISTRATOR, ADMINISTRATOR, OFFICER)

# The REST API lets in by token, never by session: every operation asks `portal.api.callers` itself. One that is not
# entered here is served to nobody.
_API: Final = (
    "list_approvals get_approval approve_approval reject_approval withdraw_approval "
    "list_applications get_application create_application patch_application disable_application "
    "enable_application rotate_application create_client_certificate delete_application search_certificates "
    "get_certificate "
    "get_certificate_trail download_certificate revoke_certificate list_profiles get_profile "
    "create_profile_version check_profile list_profile_versions get_profile_version compare_profile_versions "
    "get_profile_use list_labels get_label create_label delete_label list_groups get_group create_group "
    "patch_group list_properties get_property list_property_changes put_property delete_property "
    "list_authorities get_authority download_authority list_users get_user create_user put_user_role "
    "disable_user enable_user reset_user_password delete_user_factors declare_user_compromised "
    "bind_user_identity unbind_user_identity list_audit "
    "get_audit_event export_audit get_audit_verification list_refused explain_request try_request "
    "list_seal_problems get_seal adopt_sealed_record forget_sealed_record get_statistics list_nodes "
    "find_anything list_tokens delete_token"
)

RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys((f"api-v1:{name}" for name in _API.split()), PUBLIC),
    "sign-in": PUBLIC,
    "sign-in-oidc": PUBLIC,
    "sign-in-oidc-back": PUBLIC,
    "sign-in-certificate": PUBLIC,
    "csp-report": PUBLIC,
    "mfa_authenticate": PUBLIC,
    "account_login": PUBLIC,
    "sign-out": EVERYBODY,
    "dashboard": EVERYBODY,
    "confirm": EVERYBODY,
    "approvals": EVERYBODY,
    "approval": EVERYBODY,
    "approval-approve": DECIDERS,
    "approval-reject": DECIDERS,
    "approval-withdraw": DECIDERS,
    "switches": roles(CA_ADMINISTRATOR, ADMINISTRATOR, AUDITOR),
    "switch-set": CA_ADMINISTRATORS,
    "groups": EVERYBODY,
    "group-new": CA_ADMINISTRATORS,
    "group": EVERYBODY,
    "group-edit": ADMINISTRATORS,
    "users": roles(CA_ADMINISTRATOR, ADMINISTRATOR, AUDITOR),
    "user": roles(CA_ADMINISTRATOR, ADMINISTRATOR, AUDITOR),
    "user-new": ADMINISTRATORS,
    "user-edit": ADMINISTRATORS,
    "user-enable": ADMINISTRATORS,
    "user-disable": ADMINISTRATORS,
    "user-password": CA_ADMINISTRATORS,
    "user-factors": CA_ADMINISTRATORS,
    "user-compromised": CA_ADMINISTRATORS,
    "user-identity-new": CA_ADMINISTRATORS,
    "user-identity-remove": CA_ADMINISTRATORS,
    "account": EVERYBODY,
    "account-password": EVERYBODY,
    "account-sessions": EVERYBODY,
    "account-totp": EVERYBODY,
    "account-passkey": EVERYBODY,
    "account-factor-remove": EVERYBODY,
    "account-recovery-codes": EVERYBODY,
    "applications": EVERYBODY,
    "application": EVERYBODY,
    "application-new": ADMINISTRATORS,
    "application-understand": ADMINISTRATORS,
    "application-edit": ADMINISTRATORS,
    "application-rotate": ADMINISTRATORS,
    "application-act": ADMINISTRATORS,
    "application-client-certificate": ADMINISTRATORS,
    "properties": EVERYBODY,
    "property-set": ADMINISTRATORS,
    "property-unset": ADMINISTRATORS,
    "profiles": EVERYBODY,
    "profile": EVERYBODY,
    "profile-compare": EVERYBODY,
    "profile-choose-comparison": EVERYBODY,
    "profile-toml": EVERYBODY,
    "profile-new": ADMINISTRATORS,
    "profile-edit": ADMINISTRATORS,
    "labels": EVERYBODY,
    "label-new": ADMINISTRATORS,
    "label-remove": ADMINISTRATORS,
    "refusals": EVERYBODY,
    "refusal": EVERYBODY,
    "refusal-try": EVERYBODY,
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
    "api-docs": EVERYBODY,
    "api-openapi": PUBLIC,
    "api-tokens": EVERYBODY,
    "api-token-new": EVERYBODY,
    "api-token-revoke": EVERYBODY,
}


def rule_of(name: str) -> Rule | None:
    return RULES.get(name)
