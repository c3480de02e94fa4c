"""Which subject alternative names a profile takes, and how each must look (RFC 5280 section 4.2.1.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509

from certuary.core.profile_config import ProfileConfig
from certuary.errors import ProfileRefused

_MAX_URI = 2048
_MAX_TOTAL = 8192
_LABEL = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
# RFC 1034 section 3.5 with digits first (RFC 1123): letters, digits, hyphens; a last label of digits would
# read as an IP address.
_HOST = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}", re.ASCII)
# RFC 5321 section 4.1.2, the unquoted form.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
# RFC 3986: a scheme, then something, printable and without blanks, quotes, angle brackets and backslashes.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+", re.ASCII)
_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dns",
    x509.IPAddress: "ip",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "uri",
    x509.DirectoryName: "directoryName",
    x509.OtherName: "otherName",
    x509.RegisteredID: "registeredID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeNamesPolicy:
    allow: frozenset[str]
    required: tuple[str, ...]
    maximum: int
    wildcards: bool

    @classmethod
    def from_config(cls, config: ProfileConfig) -> AlternativeNamesPolicy:
        return cls(
            allow=frozenset(config.san_allow),
            required=config.san_required,
            maximum=config.san_max,
            wildcards=config.san_wildcards,
        )

    def accept(self, names: tuple[x509.GeneralName, ...]) -> tuple[x509.GeneralName, ...]:
        """The names as the certificate has them: in the request's order, each once."""
        if len(names) > self.maximum:
            raise _refused(f"{len(names)} names; the profile takes {self.maximum}", "alternative-names-count")
        kinds = {self._checked_kind(name) for name in names}
        for kind in self.required:
            if kind not in kinds:
                raise _refused(f"the profile needs one of kind {kind}", "alternative-name-missing")
        if len(names) < 2:
            return names
        if sum(len(str(name.value)) for name in names) > _MAX_TOTAL:
            raise _refused(f"more than {_MAX_TOTAL} characters in all", "alternative-names-size")
        return tuple(dict.fromkeys(names))

    def _checked_kind(self, name: x509.GeneralName) -> str:
        kind = _KINDS[type(name)]
        if kind not in self.allow:
            raise _refused(f"the profile does not take the kind {kind}", "alternative-name-kind")
        if isinstance(name, x509.DNSName):
            self._check_dns(name.value)
        elif isinstance(name, x509.IPAddress):
            _check_address(name)
        elif isinstance(name, x509.RFC822Name):
            _check_mailbox(name.value)
        else:
            _check_uri(str(name.value))
        return kind

    def _check_dns(self, name: str) -> None:
        host = name
        if name.startswith("*."):
            if not self.wildcards:
                raise _refused(f"{name[:80]!r} is a wildcard, which the profile does not take", "wildcard")
            host = name[2:]
            if "." not in host:
                raise _refused(f"{name[:80]!r} is a wildcard over a whole top-level domain", "wildcard")
        if not is_host(host):
            raise _refused(f"{name[:80]!r} is not a DNS name of letters, digits and hyphens", "dns-name")


def is_host(name: str) -> bool:
    """Is it a DNS name (RFC 5280 section 4.2.1.6)? International names come as A-labels (RFC 5891)."""
    if len(name) > 253 or not _HOST.fullmatch(name):
        return False
    return "--" not in name or all(_is_label(label) for label in name.split("."))


def _is_label(label: str) -> bool:
    # RFC 5891 section 4.2.3.1: hyphens in both the third and fourth place are kept for A-labels.
    if label[2:4] != "--":
        return True
    if label[:2].lower() != "xn":
        return False
    try:
        decoded = label[4:].lower().encode().decode("punycode")
        again = decoded.encode("punycode").decode()
    except UnicodeError:
        return False
    return not decoded.isascii() and decoded.isprintable() and again == label[4:].lower()


def _check_address(name: x509.IPAddress) -> None:
    address = name.value
    if not isinstance(address, IPv4Address | IPv6Address):
        raise _refused(f"{address} is a network, not an address", "ip-address")
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    if mapped or address.is_unspecified or address.is_multicast or address == _BROADCAST:
        raise _refused(f"{address} is not the address of one host", "ip-address")


_BROADCAST = IPv4Address("255.255.255.255")


def _check_mailbox(mailbox: str) -> None:
    local, _, host = mailbox.rpartition("@")
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local) or not is_host(host):
        raise _refused(f"{mailbox[:80]!r} is not a mail address", "email-address")


def _check_uri(uri: str) -> None:
    if len(uri) > _MAX_URI or not _URI.fullmatch(uri):
        raise _refused(f"{uri[:80]!r} is not an absolute URI", "uri")


def _refused(detail: str, rule: str) -> ProfileRefused:
    return ProfileRefused(f"subject alternative names: {detail}", rule=rule)
