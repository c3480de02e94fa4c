"""External applications: order a client certificate, which comes as PKCS#12."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from certuary.core.certificate import CertificatePlan
from certuary.core.names import general_name_text, subject_text
from certuary.core.values import serial_to_text
from certuary.portal.columns import texts
from certuary.portal.deps import deps_of
from certuary.portal.enrol_lines import client_certificate_lines, file_name
from certuary.portal.forms.client_certificate import KEY_WORDS
from certuary.portal.scope import find_application
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, Secret, covering
from certuary.portal.words import networks_in_words
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_profile
from certuary.services.order_certificate import (
    CertificateWanted,
    order_certificate,
    rehearse_order,
)
from certuary.services.ports import Record
from certuary.services.register_application import canonical_subject_rule

KIND: Final = "application-client-certificate"
_SPEAKS = (
    "Whoever has the file and its passphrase may ask, in its name, for every certificate that it may have"
)
_ENDS = "It is revoked when the password is rotated, and when the application is disabled or deleted."


def wanted_of(application: Record, content: Content) -> CertificateWanted:
    return CertificateWanted(
        application=str(application.values["name"]),
        profile=str(content["profile"]),
        common_name=str(content["common_name"]),
        dns_names=tuple(content["dns_names"]),
        key_type=str(content["key_type"]),
    )


class OrderClientCertificate:
    def review(self, content: Content, request: HttpRequest) -> Review:
        deps = deps_of(request)
        record = find_application(request, int(content["id"]))
        profile = find_profile(deps.records, str(content["profile"]))
        plan = rehearse_order(wanted_of(record, content), deps.ordering)
        names = sorted(general_name_text(one) for one in plan.alternative_names)
        networks = texts(record.values["networks"])
        name = str(record.values["name"])
        key_type = str(content["key_type"])
        lines = (
            Line(label="Application", value=name, warning=_SPEAKS),
            Line(
                label="Usable from",
                value=", ".join(networks) or "any address",
                meaning=networks_in_words(networks),
            ),
            Line(
                label="Subject rule",
                value=canonical_subject_rule(str(record.values["subject_rule"])) or "any name",
                meaning="What it may ask for; its own names fit it, too.",
            ),
        )
        certificate = (
            Line(label="Subject", value=subject_text(plan.subject)),
            Line(label="Alternative names", value=", ".join(names) or "none"),
            Line(
                label="Profile",
                value=f"{profile.values['name']}, version {profile.values['current_version']}",
            ),
            Line(
                label="Lasts",
                value=lasting(plan),
                meaning=_ENDS,
            ),
            Line(label="Key", value=key_type, meaning=KEY_WORDS[key_type]),
            Line(
                label="File",
                value="PKCS#12, AES-256",
                meaning="You get it once, on the next page, with a passphrase made for it. Neither is kept here.",
            ),
        )
        return Review(
            title=f"A client certificate for {name}",
            sentence=f"You have a certificate issued by which {name} enrols without its password.",
            groups=(
                ReviewGroup(title="What it opens", lines=lines),
                ReviewGroup(
                    title="Certificate",
                    lines=certificate,
                    edit_url=f"{_page(record)}client-certificate/?token={content['token']}",
                ),
            ),
            button="Sign and Issue",
            back_url=_page(record),
            covers=covering(record, profile),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        record = find_application(request, int(content["id"]))
        portal = deps_of(request)
        issued = order_certificate(actor, wanted_of(record, content), deps, portal.ordering)
        serial = serial_to_text(issued.certificate.serial)
        return Done(  # `shell` is text to show
            message=f"{record.values['name']} has a client certificate",
            url=f"/certificates/{serial}/",
            secrets=(
                Secret(
                    label="The file: key, certificate and chain",
                    value="",
                    filename=f"{file_name(record)}.p12",
                    content=issued.pkcs12,
                ),
                Secret(label="Its passphrase", value=issued.passphrase),
            ),
            shell=client_certificate_lines(record, deps.records, portal.est_url),
        )


def lasting(plan: CertificatePlan) -> str:
    """The same for as long as the change waits: it is signed."""
    if plan.not_after == plan.issuer_not_after:
        return f"until its issuer ends, {plan.not_after:%Y-%m-%d %H:%M} UTC"
    length = plan.not_after - plan.planned_at
    days = length.days
    if days >= 2:
        return f"{days} days"
    return f"{int(length.total_seconds()) // 60} minutes"


def _page(record: Record) -> str:
    return f"/applications/{record.id}/"
