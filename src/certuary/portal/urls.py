"""Where each page is. Every name has its rule in `portal.access`, or nobody gets in."""

from __future__ import annotations

from django.urls import path

from certuary.portal.views import (
    account,
    application_forms,
    applications,
    confirm,
    dashboard,
    groups,
    labels,
    profiles,
    properties,
    refusals,
    reports,
    sign_in,
    users,
)

handler400 = "certuary.portal.views.failures.bad_request"
handler404 = "certuary.portal.views.failures.not_found"
handler500 = "certuary.portal.views.failures.server_error"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in/second-factor/", sign_in.SecondFactor.as_view(), name="mfa_authenticate"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    # What the library calls the first of these. It asks for no other page of its own.
    path("sign-in/", sign_in.SignIn.as_view(), name="account_login"),
    path("confirm/<str:token>/", confirm.confirm, name="confirm"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.new_group, name="group-new"),
    path("groups/<int:number>/", groups.group, name="group"),
    path("groups/<int:number>/edit/", groups.rename, name="group-edit"),
    path("users/", users.users, name="users"),
    path("users/new/", users.new_user, name="user-new"),
    path("users/<int:number>/", users.user, name="user"),
    path("users/<int:number>/edit/", users.edit, name="user-edit"),
    path("users/<int:number>/enable/", users.enable, name="user-enable"),
    path("users/<int:number>/disable/", users.disable, name="user-disable"),
    path("users/<int:number>/password/", users.reset_password, name="user-password"),
    path("users/<int:number>/second-factors/", users.remove_factors, name="user-factors"),
    path("users/<int:number>/compromised/", users.declare_compromised, name="user-compromised"),
    path("account/", account.account, name="account"),
    path("account/password/", account.change_password, name="account-password"),
    path("account/sessions/", account.end_sessions, name="account-sessions"),
    path("account/2fa/totp/", account.add_totp, name="account-totp"),
    path("account/2fa/passkeys/new/", account.add_passkey, name="account-passkey"),
    path("account/2fa/<int:number>/remove/", account.remove_factor, name="account-factor-remove"),
    path("account/2fa/recovery-codes/", account.new_recovery_codes, name="account-recovery-codes"),
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
]
