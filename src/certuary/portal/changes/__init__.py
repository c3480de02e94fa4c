"""The kinds of change that people sign in the portal, by name: one module per subject.

A new kind is a class with `review` and `apply`, entered here. What is not here cannot be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from certuary.portal.changes.api_tokens import NewApiToken, RevokeApiToken
from certuary.portal.changes.groups import NewGroup
from certuary.portal.signing import SignedChange

CHANGES: Final[Mapping[str, SignedChange]] = {
    "group-new": NewGroup(),
    "api-token-new": NewApiToken(),
    "api-token-revoke": RevokeApiToken(),
}
