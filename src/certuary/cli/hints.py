"""What to do next, for the errors where it is the same every time."""

from __future__ import annotations

from typing import Final

from certuary import errors

_HINTS: Final[dict[type[errors.CertuaryError], str]] = {
    errors.NotAuthenticated: (
        "Give --admin NAME --admin-password-file FILE, or CERTUARY_ADMIN and CERTUARY_ADMIN_PASSWORD_FILE."
    ),
    errors.SecondPersonNeeded: (
        "Make this change in the portal, or over the REST API: there it is kept until a second person approves it."
    ),
    errors.NotPermitted: "Ask somebody whose role allows it; `certuary user list` shows the roles.",
    errors.DatabaseDown: "Check that the database of `database_url` runs and can be reached, then repeat.",
    errors.KeyStoreDown: "Check the files in HOME/keys and where the passphrase comes from, then repeat.",
    errors.AlreadyRevoked: "Nothing is left to do: the certificate is on its authority's list.",
}


def hint_for(error: errors.CertuaryError) -> str | None:
    return next((_HINTS[kind] for kind in type(error).__mro__ if kind in _HINTS), None)
