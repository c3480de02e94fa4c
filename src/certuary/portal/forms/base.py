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
        self.prepare()
        for name, field in self.fields.items():
            widget = field.widget
            widget.attrs.setdefault("class", _CLASSES.get(type(widget), "form-control"))
            if field.help_text:
                widget.attrs["aria-describedby"] = f"id_{name}_help"

    def add_error(self, field: str | None, error: Any) -> None:
        """Every error passes here, those of cleaning, too: which is not before a form's own `__init__` has ended."""
        super().add_error(field, error)
        for name in self.errors.keys() & self.fields.keys():
            attributes, marker = self.fields[name].widget.attrs, f"id_{name}_error"
            attributes["aria-invalid"] = "true"
            if marker not in attributes.get("aria-describedby", ""):
                attributes["aria-describedby"] = f"{attributes.get('aria-describedby', '')} {marker}".strip()

    def prepare(self) -> None:
        """For choices that a request decides: the fields are there, and nothing was checked yet."""

    def refuse(self, field: str | None, problem: CertuaryError) -> None:
        """A service's refusal, beside the field that it is about."""
        self.add_error(field, problem.detail)
