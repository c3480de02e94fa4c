"""Second factors: rows of the library's table, which are believed only as the user's sealed record lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allauth.mfa.models import Authenticator

from certuary.errors import InvalidValue
from certuary.services.ports import Record
from certuary.services.second_factors import are_as_listed, factor_digest

TOTP: Final = "totp"
PASSKEY: Final = "webauthn"
RECOVERY_CODES: Final = "recovery_codes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    id: int
    kind: str
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What one user has. `codes_left` is None without recovery codes."""

    totp: Factor | None
    passkeys: tuple[Factor, ...]
    codes_left: int | None

    @property
    def is_any(self) -> bool:
        return self.totp is not None or bool(self.passkeys)

    @property
    def in_words(self) -> str:
        words = ["authenticator app"] if self.totp else []
        if self.passkeys:
            words.append(f"{len(self.passkeys)} passkey{'s' if len(self.passkeys) > 1 else ''}")
        return ", ".join(words)


def digests_of(user_id: int) -> tuple[str, ...]:
    """Of every row that the user has now."""
    return tuple(sorted(digest_of(row) for row in Authenticator.objects.filter(user_id=user_id)))


def digest_of(row: Authenticator) -> str:
    """`InvalidValue` for a row that nobody could have signed."""
    return factor_digest(row.type, row.created_at, _data(row))


def are_as_signed(user: Record) -> bool:
    """Whether the rows are those that the user's record, which must be believed by itself, lists."""
    assert isinstance(user.id, int)
    try:
        return are_as_listed(user, digests_of(user.id))
    except InvalidValue:
        return False


def which_are_as_signed(users: Sequence[Record]) -> frozenset[int | str]:
    """The same of a page of users, in one query: the numbers of those whose rows are."""
    found: dict[int | str, list[str]] = {user.id: [] for user in users}
    try:
        for row in Authenticator.objects.filter(user_id__in=found):
            found[row.user_id].append(digest_of(row))
    except InvalidValue:  # of a row that plain SQL wrote: then they are read one by one
        return frozenset(user.id for user in users if are_as_signed(user))
    return frozenset(user.id for user in users if are_as_listed(user, found[user.id]))


def factors_of(user_id: int) -> Factors:
    rows = Authenticator.objects.filter(user_id=user_id).order_by("created_at", "id")
    return _gathered(rows)


def factors_by_user(user_ids: Sequence[int]) -> dict[int, Factors]:
    """For a page of users, in one query."""
    found: dict[int, list[Authenticator]] = {number: [] for number in user_ids}
    for row in Authenticator.objects.filter(user_id__in=user_ids).order_by("created_at", "id"):
        found[row.user_id].append(row)
    return {number: _gathered(rows) for number, rows in found.items()}


def _gathered(rows: Any) -> Factors:
    by_kind: dict[str, list[Authenticator]] = {}
    for row in rows:
        by_kind.setdefault(row.type, []).append(row)
    codes = by_kind.get(RECOVERY_CODES)
    return Factors(
        totp=next((_factor(row) for row in by_kind.get(TOTP, ())), None),
        passkeys=tuple(_factor(row) for row in by_kind.get(PASSKEY, ())),
        codes_left=_codes_left(codes[0]) if codes else None,
    )


def _factor(row: Authenticator) -> Factor:
    name = str(_data(row).get("name", "")) if row.type == PASSKEY else "Authenticator app"
    return Factor(id=row.pk, kind=row.type, name=name, created_at=row.created_at, used_at=row.last_used_at)


def _codes_left(row: Authenticator) -> int:
    from allauth.mfa import app_settings

    used = _data(row).get("used_mask", 0)
    return int(app_settings.RECOVERY_CODE_COUNT) - (used.bit_count() if isinstance(used, int) else 0)


def _data(row: Authenticator) -> dict[str, Any]:
    """Plain SQL can write anything there."""
    if not isinstance(row.data, dict):
        raise InvalidValue("a second factor's row cannot be read", rule="second-factor")
    return row.data
