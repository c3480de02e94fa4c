"""EST operations, paths and media types. RFC 7030 sections 3.2.2 and 3.2.4, RFC 8951 section 3.

One service, three spellings of its base path. The router is fixed: it knows nothing of what is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from certuary.errors import InvalidValue

PKCS10 = "application/pkcs10"
PKCS7_MIME = "application/pkcs7-mime"
CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
CSRATTRS = "application/csrattrs"
TEXT = "text/plain; charset=utf-8"


class Operation(StrEnum):
    CACERTS = "cacerts"
    CSRATTRS = "csrattrs"
    SIMPLEENROLL = "simpleenroll"
    SIMPLEREENROLL = "simplereenroll"


class Base(StrEnum):
    WELL_KNOWN = "/.well-known/est"
    EST = "/est"
    EM_CA_SERVICES = "/emCAServices/est"


# HEAD is GET without the body (RFC 9110 section 9.3.2).
METHODS: Mapping[Operation, tuple[str, ...]] = MappingProxyType(
    {
        Operation.CACERTS: ("GET", "HEAD"),
        Operation.CSRATTRS: ("GET", "HEAD"),
        Operation.SIMPLEENROLL: ("POST",),
        Operation.SIMPLEREENROLL: ("POST",),
    }
)

RESERVED_LABELS = frozenset(
    {
        # RFC 7030 section 3.2.2
        "cacerts", "simpleenroll", "simplereenroll", "fullcmc", "serverkeygen", "csrattrs",
        # RFC 8295
        "pal", "eecerts", "crls", "symmetrickeys", "firmware", "tamp",
    }
)  # fmt: skip
MAX_LABEL_CHARACTERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    operation: Operation
    base: Base
    label: str | None


_UNLABELLED: Mapping[bytes, Route] = {
    f"{base}/{operation}".encode(): Route(operation=operation, base=base, label=None)
    for base in Base
    for operation in Operation
}
_BASES: Mapping[tuple[str, ...], Base] = {tuple(base.split("/")): base for base in Base}
_OPERATIONS: Mapping[str, Operation] = {str(operation): operation for operation in Operation}


def route(raw_path: bytes | str) -> Route | None:
    """Find what a path asks for; None is a 404. Takes the path as sent, before any percent-decoding, without
    query.

    S-9: at most one label, which is no operation's name. Segments are decoded one by one, so that an encoded
    slash never makes a segment; an empty segment, also the one after a trailing slash, matches nothing.
    """
    path = raw_path.encode() if isinstance(raw_path, str) else raw_path
    return _UNLABELLED.get(path) or _route_slowly(path)


def _route_slowly(path: bytes) -> Route | None:
    try:
        segments = tuple(unquote_to_bytes(segment).decode() for segment in path.split(b"/"))
    except UnicodeDecodeError:
        return None
    operation = _OPERATIONS.get(segments[-1])
    if operation is None:
        return None
    base = _BASES.get(segments[:-1])
    if base is not None:
        return Route(operation=operation, base=base, label=None)
    base = _BASES.get(segments[:-2])
    label = segments[-2] if base is not None else ""
    if base is None or not _is_label(label):
        return None
    return Route(operation=operation, base=base, label=label)


def check_label(name: str) -> str:
    """Give back a name that can serve as a label, or raise `InvalidValue`."""
    if not _is_label(name):
        raise InvalidValue(
            f"{name!r} cannot be a label: 1 to {MAX_LABEL_CHARACTERS} printable characters, no slash,"
            f" and none of {', '.join(sorted(RESERVED_LABELS))}",
            rule="label",
        )
    return name


def _is_label(name: str) -> bool:
    return (
        0 < len(name) <= MAX_LABEL_CHARACTERS
        and name not in RESERVED_LABELS
        and name not in {".", ".."}
        and "/" not in name
        and name.isprintable()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """Type and parameter names in lower case; "" when the header held no media type."""

    essence: str
    parameters: Mapping[str, str]


def parse_media_type(value: bytes | str) -> MediaType:
    """Read a Content-Type as leniently as clients write it: any case, blanks anywhere, quoted values, junk
    ignored."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    essence, *rest = text.split(";")
    parameters: dict[str, str] = {}
    for part in rest:
        name, equals, content = part.partition("=")
        if equals:
            parameters.setdefault(name.strip().lower(), content.strip().strip('"').lower())
    essence = essence.strip().lower()
    return MediaType(essence=essence if "/" in essence else "", parameters=parameters)
