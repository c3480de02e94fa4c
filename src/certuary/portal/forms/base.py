"""What every form of the portal has: the kit's classes, and errors tied to their fields for those who listen."""

from __future__ import annotations

from typing import Any

from django import forms

from certuary.errors import CertuaryError

_CLASSES: dict[type[forms.Widget], str] = {
    forms.Select: "form-select",
    forms.SelectMultiple: "form-select",
    forms.CheckboxInput: "form-check-input",
    forms.CheckboxSelectMultiple: "",
    forms.RadioSelect: "",
}


class PortalForm(forms.Form):
    required_css_class = "required"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.setdefault("class", _CLASSES.get(type(field.widget), "form-control"))
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_help"

    def full_clean(self) -> None:
        """Not in `__init__`: what a form's own `__init__` sets up after this one's is part of what is checked."""
        super().full_clean()
        for name in self.errors if self.is_bound else ():
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs["aria-invalid"] = "true"
                attrs["aria-describedby"] = f"{attrs.get('aria-describedby', '')} id_{name}_error".strip()

    def refuse(self, field: str | None, problem: CertuaryError) -> None:
        """A service's refusal, beside the field that it is about."""
        self.add_error(field, problem.detail)
