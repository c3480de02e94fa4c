"""One table from our exceptions to HTTP status and process exit code; every front end reads it."""

from __future__ import annotations

from certuary import errors

INTERNAL_ERROR = 500
INTERNAL_EXIT = 70

# (HTTP status, exit code of sysexits.h). The nearest class in an exception's ancestry decides.
_TABLE: dict[type[errors.CertuaryError], tuple[int, int]] = {
    errors.BadRequest: (400, 65),
    errors.NotAuthenticated: (401, 77),
    errors.Refused: (403, 77),
    errors.NotFound: (404, 66),
    errors.MethodNotAllowed: (405, 65),
    errors.RequestTimedOut: (408, 75),
    errors.Conflict: (409, 65),
    errors.BodyTooLarge: (413, 65),
    errors.UnsupportedMediaType: (415, 65),
    errors.RateLimited: (429, 75),
    errors.Unavailable: (503, 75),
    errors.ConfigError: (INTERNAL_ERROR, 78),
}


def http_status(error: BaseException) -> int:
    return _lookup(error)[0]


def exit_code(error: BaseException) -> int:
    return _lookup(error)[1]


def _lookup(error: BaseException) -> tuple[int, int]:
    for ancestor in type(error).__mro__:
        if ancestor in _TABLE:
            return _TABLE[ancestor]
    return INTERNAL_ERROR, INTERNAL_EXIT
