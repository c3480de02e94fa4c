"""When users last signed in to the portal, by the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from certuary.store.audit import NOT_OF_APPLICATIONS
from certuary.store.database import read
from certuary.store.models import AuditEvent

_SIGNED_IN = "user.signed-in"


def last_sign_ins(names: Sequence[str]) -> dict[str, datetime]:
    """By name; who never did is not in it."""
    rows = AuditEvent.objects.extra(where=[NOT_OF_APPLICATIONS])  # noqa: S610  # a constant
    found = rows.filter(target__in=[f"user:{name}" for name in names], kind=_SIGNED_IN)
    pairs = read(lambda: list(found.values_list("target").annotate(Max("at")).order_by()))
    return {target.removeprefix("user:"): at for target, at in pairs}
