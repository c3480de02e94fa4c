"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from allauth.account.views import LoginView, LogoutView
from django.urls import include, path

from certuary.portal.views import confirm, dashboard, groups, reports

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
    path("csp-report", reports.csp_report, name="csp-report"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
]
