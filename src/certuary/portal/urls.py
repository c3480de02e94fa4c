"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from allauth.account.views import LoginView, LogoutView
from django.urls import include, path

from certuary.portal.views import (
    audit,
    authorities,
    certificates,
    confirm,
    dashboard,
    groups,
    reports,
    seals,
    search,
)

handler400 = "certuary.portal.views.failures.bad_request"
handler404 = "certuary.portal.views.failures.not_found"
handler500 = "certuary.portal.views.failures.server_error"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in/", LoginView.as_view(template_name="portal/sign_in.html"), name="sign-in"),
    path("sign-out/", LogoutView.as_view(template_name="portal/sign_out.html"), name="sign-out"),
    path("confirm/<str:token>/", confirm.confirm, name="confirm"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.new_group, name="group-new"),
    path("certificates/", certificates.certificates, name="certificates"),
    path("certificates/<str:serial>/", certificates.certificate, name="certificate"),
    path("certificates/<str:serial>/revoke/", certificates.revoke_certificate, name="certificate-revoke"),
    path(
        "certificates/<str:serial>/download/<str:form>/",
        certificates.certificate_download,
        name="certificate-download",
    ),
    path("authorities/", authorities.authorities, name="authorities"),
    path("authorities/<int:number>/", authorities.authority, name="authority"),
    path(
        "authorities/<int:number>/download/<str:form>/",
        authorities.authority_download,
        name="authority-download",
    ),
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.audit_export, name="audit-export"),
    path("audit/<int:number>/", audit.audit_event, name="audit-event"),
    path("search/", search.search, name="search"),
    path("seals/", seals.broken_seals, name="seals"),
    path("seals/<str:kind>/<int:number>/", seals.seal, name="seal"),
    path("seals/<str:kind>/<int:number>/sign/", seals.sign_as_it_stands, name="seal-sign"),
    path("seals/<str:kind>/<int:number>/forget/", seals.accept_gone, name="seal-forget"),
    path("csp-report", reports.csp_report, name="csp-report"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
]
