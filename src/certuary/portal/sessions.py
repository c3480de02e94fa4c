"""Sessions in the database, found by a keyed hash of their cookie: who reads the table can take none over.

A session ends after 30 minutes without a request and 12 hours in any case. When it was last used is written once a
minute at most: the pages that people only read do not make the database busy.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from certuary.portal.models import PortalSession
from certuary.services.ports import Record

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
_SEEN_EVERY: Final = timedelta(minutes=1)
ADDRESS_KEY: Final = "address"
BROWSER_KEY: Final = "browser"
_USER_KEY: Final = "_auth_user_id"


def key_hash(session_key: str) -> str:
    return salted_hmac("certuary.portal.session-key", session_key, algorithm="sha256").hexdigest()


def end_sessions_of(user: Record) -> None:
    PortalSession.objects.filter(user_id=user.id).delete()


class SessionStore(SessionBase):
    """Django's session engine (`SESSION_ENGINE`)."""

    def exists(self, session_key: str) -> bool:
        return PortalSession.objects.filter(key_hash=key_hash(session_key)).exists()

    def create(self) -> None:
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]  # Django's own
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            self.create()
            return
        now = timezone.now()
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]  # Django's own
        values: dict[str, Any] = {
            "data": self.encode(data),
            "user_id": data.get(_USER_KEY),
            "seen_at": now,
            "address": data.get(ADDRESS_KEY, ""),
            "user_agent": data.get(BROWSER_KEY, ""),
        }
        digest = key_hash(self.session_key)
        with transaction.atomic():
            if must_create:
                _, created = PortalSession.objects.get_or_create(
                    key_hash=digest,
                    defaults={**values, "created_at": now, "expires_at": now + LONGEST},
                )
                if not created:
                    raise CreateError
            elif not PortalSession.objects.filter(key_hash=digest).update(**values):
                raise UpdateError

    def load(self) -> dict[str, Any]:
        row = self._row()
        if row is None:
            self._session_key = None
            return {}
        now = timezone.now()
        if now - row.seen_at >= _SEEN_EVERY:
            PortalSession.objects.filter(key_hash=row.key_hash).update(seen_at=now)
        return self.decode(row.data)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            PortalSession.objects.filter(key_hash=key_hash(key)).delete()

    def get_expiry_age(self, **_: Any) -> int:
        return int(IDLE.total_seconds())

    @classmethod
    def clear_expired(cls) -> None:
        now = timezone.now()
        PortalSession.objects.filter(expires_at__lt=now).delete()
        PortalSession.objects.filter(seen_at__lt=now - IDLE).delete()

    def _row(self) -> PortalSession | None:
        if self.session_key is None:
            return None
        row = PortalSession.objects.filter(key_hash=key_hash(self.session_key)).first()
        return row if row is not None and not _is_over(row, timezone.now()) else None


def live_sessions(user_id: int) -> tuple[PortalSession, ...]:
    """The one last used first."""
    now = timezone.now()
    rows = PortalSession.objects.filter(user_id=user_id, expires_at__gte=now, seen_at__gte=now - IDLE)
    return tuple(rows.order_by("-seen_at", "key_hash"))


def _is_over(row: PortalSession, now: datetime) -> bool:
    return row.expires_at < now or now - row.seen_at > IDLE
