"""Certificates: revoke one."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.errors import AlreadyRevoked
from certuary.portal.certificate_fields import names_in_words
from certuary.portal.certificate_search import find_certificate
from certuary.portal.forms.certificates import MEANINGS
from certuary.portal.names import Names
from certuary.portal.scope import Scope
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup
from certuary.portal.visible import visible
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.ports import CertificateRow


class RevokeCertificate:
    def review(self, content: Content, request: HttpRequest) -> Review:
        row = _find(content, request)
        if row.revoked_at is not None:
            raise AlreadyRevoked(
                f"certificate {content['serial']} was revoked at {row.revoked_at:%Y-%m-%dT%H:%M:%SZ}"
            )
        reason = str(content["reason"])
        names = Names((row,))
        page_url = f"/certificates/{content['serial']}/"
        return Review(
            title="Revoke a certificate",
            sentence="You revoke this certificate for good; the next CRL, within seconds, tells everybody.",
            groups=(
                ReviewGroup(
                    title="Certificate",
                    lines=(
                        Line(label="Subject", value=visible(row.subject)),
                        Line(label="Alternative names", value=names_in_words(row.alternative_names)),
                        Line(label="Serial number", value=str(content["serial"])),
                        Line(label="Application", value=visible(names.application(row))),
                        Line(label="Valid until", value=f"{row.not_after:%Y-%m-%d %H:%M:%S} UTC"),
                    ),
                ),
                ReviewGroup(
                    title="Revocation",
                    lines=(
                        Line(
                            label="Reason",
                            value=reason,
                            meaning=MEANINGS.get(reason, ""),
                            warning="It cannot be taken back: the device needs a new certificate.",
                        ),
                    ),
                    edit_url=f"{page_url}revoke/?token={content['token']}",
                ),
            ),
            button="Sign and revoke",
            is_destructive=True,
            back_url=page_url,
            covers=(f"certificate:{row.id}:{(row.mark or b'').hex()}",),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        with change_records(actor, deps) as changes:
            changes.revoke(_find(content, request), str(content["reason"]))
        message = f"Certificate {content['serial']} is revoked; the next CRL carries it"
        return Done(message=message, url=f"/certificates/{content['serial']}/")


def _find(content: Content, request: HttpRequest) -> CertificateRow:
    return find_certificate(Scope.of(request), str(content["serial"]))
