from __future__ import annotations

from django import forms

from certuary.portal.forms.base import PortalForm
from certuary.services.approvals import LONGEST_REASON


class RejectForm(PortalForm):
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Whoever asked for it reads this, and the audit log keeps it.",
    )
