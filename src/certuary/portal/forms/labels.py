from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from certuary.core.est import check_label
from certuary.errors import CertuaryError
from certuary.portal.forms.base import PortalForm


class LabelForm(PortalForm):
    name = forms.CharField(
        label="Label",
        max_length=64,
        help_text="A segment of the path, such as plant: letters, digits and hyphens",
    )
    profile = forms.ChoiceField(label="Profile", help_text="What is enrolled for under this label")

    def __init__(self, *args: Any, profiles: Iterable[str], **kwargs: Any) -> None:
        self._profiles = tuple(profiles)
        super().__init__(*args, **kwargs)

    def prepare(self) -> None:
        self.fields["profile"].choices = [  # type: ignore[attr-defined]  # of a ChoiceField
            ("", "choose one"),
            *((name, name) for name in self._profiles),
        ]

    def clean_name(self) -> str:
        try:
            return check_label(self.cleaned_data["name"])
        except CertuaryError as problem:
            raise forms.ValidationError(problem.detail) from None
