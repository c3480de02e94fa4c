from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from django import forms

from certuary.core.est import Operation
from certuary.portal.forms.base import PortalForm
from certuary.services.find_record import nearest
from certuary.services.ports import Record
from certuary.services.rehearse_enrolment import LONGEST_BODY


class TryForm(PortalForm):
    """A dry run: what a client would send, and as whom."""

    csr = forms.CharField(
        label="Request",
        required=False,
        max_length=LONGEST_BODY,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "form-control mono", "spellcheck": "false"}),
        help_text="PEM or base64, as the client sends it",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        help_text="PEM, base64 or DER; up to 64 KiB",
    )
    application = forms.CharField(
        label="Application",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "application-names", "autocomplete": "off"}),
        help_text="Its password is taken for right: a dry run asks for none",
    )
    address = forms.CharField(label="Address", max_length=45, help_text="Where the client calls from")
    label = forms.ChoiceField(label="Label", required=False)
    operation = forms.ChoiceField(
        label="Operation",
        choices=[
            (Operation.SIMPLEENROLL.value, "simpleenroll: a new certificate"),
            (Operation.SIMPLEREENROLL.value, "simplereenroll: renew one"),
        ],
    )

    def __init__(
        self, *args: Any, applications: Iterable[Record], labels: Iterable[str], **kwargs: Any
    ) -> None:
        self._applications = {str(record.values["name"]): record.id for record in applications}
        self._labels = tuple(labels)
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        self.fields["label"].choices = [  # type: ignore[attr-defined]  # of a ChoiceField
            ("", "none: the endpoint without a label"),
            *((name, name) for name in self._labels),
        ]

    def clean_application(self) -> int:
        """Those of other groups are not there."""
        name = self.cleaned_data["application"].strip()
        number = self._applications.get(name)
        if not isinstance(number, int):
            raise forms.ValidationError(
                f"there is no application of this name{nearest(name, self._applications)}"
            )
        return number

    def clean_address(self) -> str:
        text: str = self.cleaned_data["address"].strip()
        try:
            return str(ip_address(text))
        except ValueError:
            raise forms.ValidationError("this is not an IP address such as 10.0.0.7 or 2001:db8::7") from None

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file is not None and file.size > LONGEST_BODY:
            raise forms.ValidationError("a request is at most 64 KiB; this file is larger")
        return file

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("csr") and not cleaned.get("file") and not self.errors:
            self.add_error("csr", "paste a request, or choose a file")
        return cleaned

    def body(self) -> bytes:
        file = self.cleaned_data.get("file")
        if file is not None:
            octets: bytes = file.read(LONGEST_BODY + 1)
            return octets
        return str(self.cleaned_data["csr"]).encode()
