"""Authorise: may this application have a certificate of this profile, under these names?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cryptography import x509

from certuary.core.names import same_names
from certuary.errors import EstDisabled, NotFound, NotPermitted, SubjectRefused
from certuary.services.authenticate import Caller
from certuary.services.snapshot import ActiveProfile, Application, Snapshot


def find_profile(snapshot: Snapshot, label: str | None) -> ActiveProfile:
    """The profile that a path selects. `NotFound` for an unknown label (S-9), `EstDisabled` while nothing is."""
    if label is not None and label not in snapshot.labels:
        raise NotFound("there is no such label here", rule="unknown-label")
    if snapshot.disabled_reason is not None:
        raise EstDisabled(snapshot.disabled_reason, retry_after=5)
    profile_id = snapshot.default_profile_id if label is None else snapshot.labels[label].profile_id
    profile = snapshot.profiles.get(profile_id) if profile_id is not None else None
    if profile is None or profile.authority.signer is None:
        raise EstDisabled("the profile of this label cannot be used at present", retry_after=5)
    return profile


def check_grant(caller: Caller, snapshot: Snapshot, label: str | None, profile: ActiveProfile) -> None:
    """What a missing option means: no profile and no label is the default profile on the unlabelled endpoint."""
    application = caller.application
    if label is not None:
        if label not in application.labels:
            raise NotPermitted(f"the application may not use the label {label!r}", rule="label-not-granted")
        if application.profile_ids and profile.id not in application.profile_ids:
            raise NotPermitted("the application may not use the label's profile", rule="profile-not-granted")
        return
    if application.group_id != snapshot.default_group_id:
        raise NotPermitted(
            "the application's group may not use the unlabelled endpoint; ask with a label",
            rule="group-not-granted",
        )
    if application.profile_ids and profile.id not in application.profile_ids:
        raise NotPermitted("the application may not use the default profile", rule="profile-not-granted")
    if application.labels and not application.profile_ids:
        raise NotPermitted("the application may use its labels only", rule="label-needed")


def check_names(
    caller: Caller,
    subject: x509.Name,
    alternative_names: Sequence[x509.GeneralName],
    *,
    fixed: Collection[x509.NameAttribute[str]] = (),
) -> None:
    """A device's certificate speaks for its own names; a password, an application certificate or an RA for what the
    application's subject rule allows. `fixed` are the attributes that the profile writes in its own way."""
    own = caller.certificate
    if not caller.may_choose_names:
        assert own is not None
        if not same_names(subject, alternative_names, own.subject, own.alternative_names):
            raise SubjectRefused(
                "a client certificate speaks only for its own subject and alternative names;"
                " give the application's password, or an application certificate, for others"
            )
        # RFC 5280 takes "alice" and "ALICE" for the same; many who rely on certificates do not.
        respelt = set(subject).difference(own.subject, fixed)
        if respelt:
            raise SubjectRefused(
                f"write {respelt.pop().rfc4514_string()[:80]!r} exactly as the client certificate does"
            )
    check_subject_rule(caller.application, subject, alternative_names)


def check_subject_rule(
    application: Application, subject: x509.Name, alternative_names: Sequence[x509.GeneralName]
) -> None:
    if application.subject_rule is not None:
        application.subject_rule.check(subject, tuple(alternative_names))
