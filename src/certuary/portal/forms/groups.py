from __future__ import annotations

from django import forms

from certuary.portal.forms.base import PortalForm


class GroupForm(PortalForm):
    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="What people call it. Its code, such as GRP_002, is given when it is saved.",
    )
