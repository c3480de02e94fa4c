"""The kinds of change that people sign in the portal, by name: one module per subject.

A new kind is a class with `review` and `apply`, entered here. What is not here cannot be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from certuary.portal.changes.account import AddPasskey, AddTotp, NewRecoveryCodes, RemoveFactor
from certuary.portal.changes.api_tokens import NewApiToken, RevokeApiToken
from certuary.portal.changes.applications import (
    DeleteApplication,
    EditApplication,
    NewExternalApplication,
    RotatePassword,
    SetEnabled,
)
from certuary.portal.changes.approvals import ApproveChange, RejectApproval, WithdrawApproval
from certuary.portal.changes.certificates import RevokeCertificate
from certuary.portal.changes.client_certificate import KIND as CLIENT_CERTIFICATE
from certuary.portal.changes.client_certificate import OrderClientCertificate
from certuary.portal.changes.groups import NewGroup, RenameGroup
from certuary.portal.changes.identities import BindIdentity, UnbindIdentity
from certuary.portal.changes.profiles import NewLabel, RemoveLabel, SaveProfile
from certuary.portal.changes.properties import SetProperty, UnsetProperty
from certuary.portal.changes.seals import AdoptRecord, ForgetRecord
from certuary.portal.changes.switches import SwitchRule
from certuary.portal.changes.users import (
    ChangeUser,
    DeclareCompromised,
    EnableUser,
    NewUserChange,
    RemoveFactors,
    ResetPassword,
)
from certuary.portal.signing import SignedChange

_CHANGES: Final[Mapping[str, SignedChange]] = {
    "group-new": NewGroup(),
    "group-rename": RenameGroup(),
    "user-new": NewUserChange(),
    "user-change": ChangeUser(),
    "user-enable": EnableUser(),
    "user-password": ResetPassword(),
    "user-factors": RemoveFactors(),
    "user-compromised": DeclareCompromised(),
    "identity-bind": BindIdentity(),
    "identity-unbind": UnbindIdentity(),
    "factor-totp": AddTotp(),
    "factor-passkey": AddPasskey(),
    "factor-remove": RemoveFactor(),
    "recovery-codes": NewRecoveryCodes(),
    "application-new": NewExternalApplication(),
    "application-edit": EditApplication(),
    "application-disable": SetEnabled(enabled=False),
    "application-enable": SetEnabled(enabled=True),
    "application-rotate": RotatePassword(),
    "application-delete": DeleteApplication(),
    CLIENT_CERTIFICATE: OrderClientCertificate(),
    "property-set": SetProperty(),
    "property-unset": UnsetProperty(),
    "profile-save": SaveProfile(),
    "label-new": NewLabel(),
    "label-remove": RemoveLabel(),
    "certificate-revoke": RevokeCertificate(),
    "seal-adopt": AdoptRecord(),
    "seal-forget": ForgetRecord(),
    "api-token-new": NewApiToken(),
    "api-token-revoke": RevokeApiToken(),
    "switch-set": SwitchRule(),
}
CHANGES: Final[Mapping[str, SignedChange]] = {
    **_CHANGES,
    "approval-approve": ApproveChange(_CHANGES),
    "approval-reject": RejectApproval(),
    "approval-withdraw": WithdrawApproval(),
}
