"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from allauth.account.views import LoginView, LogoutView
from django.urls import include, path

from certuary.portal.api.build import API
from certuary.portal.views import api_docs, api_tokens, confirm, dashboard, groups, reports

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in/", LoginView.as_view(template_name="portal/sign_in.html"), name="sign-in"),
    path("sign-out/", LogoutView.as_view(template_name="portal/sign_out.html"), name="sign-out"),
    path("confirm/<str:token>/", confirm.confirm, name="confirm"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.new_group, name="group-new"),
    path("account/tokens/", api_tokens.api_tokens, name="api-tokens"),
    path("account/tokens/new/", api_tokens.new_api_token, name="api-token-new"),
    path("account/tokens/<int:token_id>/revoke/", api_tokens.revoke_api_token, name="api-token-revoke"),
    path("api/v1/docs", api_docs.api_docs, name="api-docs"),
    path("api/v1/openapi.json", api_docs.openapi_json, name="api-openapi"),
    path("api/v1/", API.urls),
    path("csp-report", reports.csp_report, name="csp-report"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
]
