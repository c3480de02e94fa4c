"""Second factors as a user's sealed record lists them: by a digest of each row of the portal's library.

The use of a factor changes its row without a signature, so what use changes (when it was last used, which recovery
codes are spent) is not covered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from certuary.core.canonical_json import canonical_json
from certuary.services.ports import Record

KIND: Final = "second-factors"
"""What a finding about them is called, beside the name of the user."""
ALTERED: Final = "the second factors in the database are not those that were signed"
_CHANGED_BY_USE: Final = frozenset({"used_mask", "viewed_at"})


def factor_digest(kind: str, created_at: datetime, data: Mapping[str, object]) -> str:
    """`InvalidValue` for a row that nobody could have signed."""
    covered = {
        "type": kind,
        "created_at": created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "data": {key: value for key, value in data.items() if key not in _CHANGED_BY_USE},
    }
    return hashlib.sha256(canonical_json(covered)).hexdigest()


def are_as_listed(user: Record, digests: Sequence[str]) -> bool:
    """Whether the rows are those that the user's record, which must be believed by itself, lists."""
    signed = user.values.get("authenticators") or []
    return isinstance(signed, list | tuple) and sorted(map(str, signed)) == sorted(digests)
