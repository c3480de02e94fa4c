"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from allauth.account.views import LoginView, LogoutView
from django.urls import include, path

from certuary.portal.views import (
    application_forms,
    applications,
    confirm,
    dashboard,
    groups,
    properties,
    reports,
)

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in/", LoginView.as_view(template_name="portal/sign_in.html"), name="sign-in"),
    path("sign-out/", LogoutView.as_view(template_name="portal/sign_out.html"), name="sign-out"),
    path("confirm/<str:token>/", confirm.confirm, name="confirm"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.new_group, name="group-new"),
    path("applications/", applications.applications, name="applications"),
    path("applications/new/", application_forms.new_application, name="application-new"),
    path("applications/understand/<str:field>/", application_forms.understand, name="application-understand"),
    path("applications/<int:number>/", applications.application, name="application"),
    path("applications/<int:number>/edit/", application_forms.edit_application, name="application-edit"),
    path(
        "applications/<int:number>/rotate/", application_forms.rotate_application, name="application-rotate"
    ),
    path("applications/<int:number>/act/<str:action>/", applications.act, name="application-act"),
    path("properties/", properties.properties, name="properties"),
    path("properties/set/", properties.set_property, name="property-set"),
    path("properties/unset/", properties.unset_property, name="property-unset"),
    path("csp-report", reports.csp_report, name="csp-report"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
]
