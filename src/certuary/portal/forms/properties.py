from __future__ import annotations

from typing import Any

from django import forms

from certuary.errors import InvalidValue
from certuary.portal.forms.base import PortalForm
from certuary.services.ports import RecordStore
from certuary.services.set_property import (
    ACTIVE,
    INACTIVE,
    KNOWN,
    checked_property_key,
    checked_property_value,
    warnings_about_property,
)


class PropertyForm(PortalForm):
    """A known key takes only what the server can use: a value that would switch EST off is refused here."""

    key = forms.CharField(
        label="Key",
        max_length=100,
        widget=forms.TextInput(attrs={"spellcheck": "false", "list": "known-keys", "autocomplete": "off"}),
        help_text="As the server reads it, such as est.ca.server.user.profile.",
    )
    value = forms.CharField(
        label="Value", max_length=4096, widget=forms.TextInput(attrs={"spellcheck": "false"})
    )
    status = forms.ChoiceField(
        label="Status",
        choices=[(ACTIVE, "Active"), (INACTIVE, "Inactive: as if the row were not there")],
    )

    def __init__(self, *args: Any, records: RecordStore, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._records = records

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if "key" not in data or "value" not in data:
            return data
        try:
            checked_property_key(data["key"])
        except InvalidValue as problem:
            self.refuse("key", problem)
            return data
        try:
            checked_property_value(data["key"], data["value"])
        except InvalidValue as problem:
            self.refuse("value", problem)
            return data
        if data["key"] in KNOWN and data.get("status") == ACTIVE:
            for warning in warnings_about_property(data["key"], data["value"], self._records):
                self.add_error("value", warning)
        return data
