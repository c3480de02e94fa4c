"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from allauth.account.views import LoginView, LogoutView
from django.urls import include, path

from certuary.portal.views import confirm, dashboard, groups, labels, profiles, refusals, reports

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
    path("profiles/", profiles.profiles, name="profiles"),
    path("profiles/new/", profiles.new_profile, name="profile-new"),
    path("profiles/<int:profile_id>/", profiles.profile, name="profile"),
    path("profiles/<int:profile_id>/edit/", profiles.edit_profile, name="profile-edit"),
    path(
        "profiles/<int:profile_id>/versions/",
        profiles.choose_comparison,
        name="profile-choose-comparison",
    ),
    path(
        "profiles/<int:profile_id>/versions/<int:first>..<int:second>/",
        profiles.compare,
        name="profile-compare",
    ),
    path("profiles/<int:profile_id>/versions/<int:number>.toml", profiles.download, name="profile-toml"),
    path("labels/", labels.labels, name="labels"),
    path("labels/new/", labels.new_label, name="label-new"),
    path("labels/<int:label_id>/remove/", labels.remove_label, name="label-remove"),
    path("refusals/", refusals.refusals, name="refusals"),
    path("refusals/try/", refusals.try_request, name="refusal-try"),
    path("refusals/<str:request_id>/", refusals.refusal, name="refusal"),
    path("csp-report", reports.csp_report, name="csp-report"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
]
