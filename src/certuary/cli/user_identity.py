"""`certuary user identity`: what opens the portal for a user beside the password."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.invocation import Changing, Invocation, Reading, invocation
from certuary.cli.output import emit, emit_items
from certuary.cli.session import open_change, open_records, open_settings
from certuary.core.certificate import certificate_from_pem
from certuary.core.identity import BoundCertificate, Identity, OidcIdentity, identity_of_certificate
from certuary.errors import InvalidValue, MalformedCertificate
from certuary.services.find_record import find_named
from certuary.services.manage_identity import bind_identity, identities_of, unbind_identity

app = typer.Typer(
    help="What opens the portal for a user beside the password.", no_args_is_help=True, add_completion=False
)

Name = Annotated[str, typer.Argument(help="The user's name.")]
Subject = Annotated[
    str | None, typer.Option("--subject", metavar="S", help="What the identity provider calls the user.")
]
Issuer = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", help="Which provider. (default: oidc_issuer)")
]
Claim = Annotated[
    str | None, typer.Option("--claim", help="Which claim the subject stands in. (default: oidc_claim)")
]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", help="A file with the user's certificate in PEM.")
]
Fingerprint = Annotated[
    str | None, typer.Option("--fingerprint", metavar="HEX", help="Or its SHA-256, where you have no file.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    subject: str | None
    issuer: str | None
    claim: str | None
    certificate: Path | None
    fingerprint: str | None


@app.command("list", cls=Reading)
def list_(context: typer.Context, name: Name) -> None:
    """List a user's identities."""
    records = open_records(invocation(context))
    found = identities_of(find_named(records, "user", name))
    items = [{**one.to_json(), "identity": one.in_words} for one in found]
    emit_items(invocation(context), items, ("kind", "identity"))


@app.command(cls=Changing)
def add(
    context: typer.Context,
    name: Name,
    subject: Subject = None,
    issuer: Issuer = None,
    claim: Claim = None,
    certificate: Certificate = None,
    fingerprint: Fingerprint = None,
) -> None:
    """Bind an identity to a user: it opens the portal for them, and signs nothing."""
    given = _Given(
        subject=subject, issuer=issuer, claim=claim, certificate=certificate, fingerprint=fingerprint
    )
    identity = _identity(invocation(context), given)
    session = open_change(invocation(context))
    bind_identity(session.actor, name, identity, session.deps)
    emit(invocation(context), identity.to_json(), f"bound to {name}: {identity.in_words}")


@app.command(cls=Changing)
def remove(
    context: typer.Context,
    name: Name,
    subject: Subject = None,
    issuer: Issuer = None,
    claim: Claim = None,
    certificate: Certificate = None,
    fingerprint: Fingerprint = None,
) -> None:
    """Take an identity away from a user. Sessions that it opened end at once."""
    given = _Given(
        subject=subject, issuer=issuer, claim=claim, certificate=certificate, fingerprint=fingerprint
    )
    identity = _identity(invocation(context), given)
    session = open_change(invocation(context))
    unbind_identity(session.actor, name, identity, session.deps)
    emit(invocation(context), identity.to_json(), f"taken away from {name}: {identity.in_words}")


def _identity(shared: Invocation, given: _Given) -> Identity:
    """Just one of the three ways to name it."""
    named = [value for value in (given.subject, given.certificate, given.fingerprint) if value is not None]
    if len(named) != 1:
        raise InvalidValue("name one identity: --subject, --certificate or --fingerprint", rule="identity")
    if given.certificate is not None:
        return _certificate_in(given.certificate)
    if given.fingerprint is not None:
        return BoundCertificate(sha256=given.fingerprint.replace(":", "").strip().lower(), subject="")
    settings = open_settings(shared)
    issuer = given.issuer or settings.oidc_issuer
    if not issuer:
        raise InvalidValue(
            "which provider? Give --issuer, or set oidc_issuer in certuary.toml", rule="identity"
        )
    return OidcIdentity(issuer=issuer, claim=given.claim or settings.oidc_claim, subject=str(given.subject))


def _certificate_in(path: Path) -> BoundCertificate:
    try:
        return identity_of_certificate(certificate_from_pem(path.read_bytes()))
    except OSError as problem:
        raise InvalidValue(f"{path} cannot be read: {problem.strerror}", rule="identity") from None
    except MalformedCertificate:
        raise InvalidValue(f"{path} holds no certificate in PEM that can be read", rule="identity") from None
