"""Authenticate: whose request is this?

Every presented credential must be valid and belong to the same application (design: the order of checks). All
refusals are one `NotAuthenticated`: its reason is for the audit event, never for the caller. A password is checked
by argon2 whatever else is wrong, so a refusal takes as long for an unknown user as for a wrong network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from certuary.core.values import Address
from certuary.errors import NotAuthenticated
from certuary.services.certificate_directory import CertificateIdentity
from certuary.services.snapshot import Application, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated application, and by what: a client certificate, a password, or both."""

    application: Application
    certificate: CertificateIdentity | None
    by_password: bool

    @property
    def is_ra(self) -> bool:
        """RFC 7030 section 3.7 (S-21): a certificate of ours with id-kp-cmcRA."""
        return self.certificate is not None and self.certificate.is_ra

    @property
    def has_own_names(self) -> bool:
        """Whether it came with a certificate that speaks for the names in it, and for no others."""
        own = self.certificate
        return own is not None and not own.is_ra and not own.speaks_for_application

    @property
    def may_choose_names(self) -> bool:
        """A device's certificate alone speaks only for its own subject and alternative names."""
        return self.by_password or not self.has_own_names


def why_not(application: Application | None, address: Address, now: datetime) -> str | None:
    """Why an application may not be used now from this address; None when it may."""
    if application is None:
        return "unknown user"
    reason = why_not_anywhere(application, now)
    if reason is not None:
        return reason
    if not is_on_own_network(application, address):
        return "the address is not in the application's networks"
    return None


def why_not_anywhere(application: Application, now: datetime) -> str | None:
    """Why an application may not be used now from any address."""
    if not application.enabled:
        return "the application is disabled"
    if application.expires_at is not None and application.expires_at <= now:
        return "the application has expired"
    return None


def is_on_own_network(application: Application, address: Address) -> bool:
    if not application.networks:
        return True
    return any(address.version == network.version and address in network for network in application.networks)


def check_certificate(
    identity: CertificateIdentity, snapshot: Snapshot, address: Address, now: datetime
) -> Application:
    """The application that a certificate of ours speaks for, if it may speak now (S-6)."""
    if now < identity.not_before:
        raise NotAuthenticated("the client certificate is not yet valid")
    if now >= identity.not_after:
        raise NotAuthenticated("the client certificate has expired")
    application = snapshot.applications_by_id.get(identity.application_id)
    reason = why_not(application, address, now)
    if application is None or reason is not None:
        raise NotAuthenticated(f"client certificate: {reason}")
    return application
