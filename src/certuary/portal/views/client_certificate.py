"""An application's client certificate: the form by which it is ordered."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from certuary.errors import CertuaryError, NotFound
from certuary.portal.changes.client_certificate import KIND, wanted_of
from certuary.portal.deps import deps_of
from certuary.portal.forms.client_certificate import ClientCertificateForm
from certuary.portal.problem import problem_page
from certuary.portal.scope import find_application
from certuary.portal.signing import Content, content_of, propose
from certuary.services.order_certificate import profiles_for_clients, rehearse_order
from certuary.services.ports import Record

_LEAD: Final = (
    "A certificate by which it enrols without its password: PKCS#12, key and certificate in one file."
)
_COMMON_NAME_LENGTH: Final = 64


@require_http_methods(["GET", "POST"])
def order(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_application(request, number)
        profiles = profiles_for_clients(deps_of(request).ordering)
    except CertuaryError as problem:
        return problem_page(request, problem)
    if not profiles:
        return problem_page(request, NotFound(_NO_PROFILE))
    choices = [(one.profile.name, _described(one.profile.name, one.profile.description)) for one in profiles]
    typed = content_of(request, request.GET.get("token"), KIND)
    initial = _initial(record, typed if typed is not None and typed["id"] == record.id else None)
    form = ClientCertificateForm(request.POST or None, initial=initial, profiles=choices)
    if request.method == "POST" and form.is_valid():
        content = {**form.cleaned_data, "id": record.id}
        try:
            rehearse_order(wanted_of(record, content), deps_of(request).ordering)
        except CertuaryError as problem:
            form.refuse(None, problem)
        else:
            return redirect(propose(request, KIND, content))
    context = {
        "form": form,
        "title": f"Client certificate for {record.values['name']}",
        "lead": _LEAD,
        "back_url": f"/applications/{record.id}/",
    }
    return render(request, "portal/form.html", context)


_NO_PROFILE: Final = (
    "there is no profile for clients: add one with clientAuth and digitalSignature under Profiles"
)


def _described(name: str, description: str) -> str:
    return f"{name}: {description}" if description else name


def _initial(record: Record, typed: Content | None) -> Content:
    if typed is None:
        return {"common_name": str(record.values["name"])[:_COMMON_NAME_LENGTH]}
    return {**typed, "dns_names": "\n".join(typed["dns_names"])}
