"""When users last signed in to the portal, by the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from certuary.store.audit import NOT_OF_APPLICATIONS
from certuary.store.database import read
from certuary.store.models import AuditEvent
from certuary.store.plain import text

_SIGNED_IN = "user.signed-in"


def last_sign_ins(names: Sequence[str]) -> dict[str, datetime]:
    """By name; who never did is not in it, nor whose event has a time that cannot be read."""
    rows = AuditEvent.objects.extra(where=[NOT_OF_APPLICATIONS])  # noqa: S610  # a constant
    found = rows.filter(target__in=[f"user:{name}" for name in names], kind=_SIGNED_IN)
    # By number, which rises with time: SQLite hands out the largest time as it stands, be it one or not.
    newest = read(
        lambda: [number for _, number in found.values_list("target").annotate(Max("id")).order_by()]
    )
    pairs = read(lambda: list(AuditEvent.objects.filter(id__in=newest).values_list("target", "at")))
    return {text(target).removeprefix("user:"): at for target, at in pairs if isinstance(at, datetime)}
