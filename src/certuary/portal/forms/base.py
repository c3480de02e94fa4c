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
            described = [f"id_{name}_help"] if field.help_text else []
            if self.is_bound and name in self.errors:
                widget.attrs["aria-invalid"] = "true"
                described.append(f"id_{name}_error")
            if described:
                widget.attrs["aria-describedby"] = " ".join(described)

    def prepare(self) -> None:
        """For choices that a request decides: the fields are there, and nothing was checked yet."""

    def refuse(self, field: str | None, problem: CertuaryError) -> None:
        """A service's refusal, beside the field that it is about."""
        self.add_error(field, problem.detail)
