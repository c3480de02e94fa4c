"""What networks, subject rules and moments mean, in words: beside a form, and before it is signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, ip_network

from certuary.core.names import ATTRIBUTE_NAMES
from certuary.core.subject_rule import SubjectRule
from certuary.core.values import Network, parse_network
from certuary.errors import InvalidValue
from certuary.portal.templatetags.portal import relative

_COUNTABLE = 2**32
_SAID_ONE_BY_ONE = 4
ANY_NAME = "Any name that its profiles allow."


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """One line of what was typed, and what it was taken for."""

    text: str
    is_good: bool


def understand_networks(text: str) -> tuple[Understood, ...]:
    return tuple(_understood(line) for line in network_lines(text))


def network_lines(text: str) -> tuple[str, ...]:
    """One a line; commas and semicolons part them, too."""
    parts = text.replace(",", "\n").replace(";", "\n").splitlines()
    return tuple(line.strip() for line in parts if line.strip())


def network_in_words(network: Network) -> str:
    """As "10.0.0.0/24: 256 addresses"."""
    if network.num_addresses == 1:
        return f"{network.network_address}: one address"
    if network.prefixlen == 0:
        return f"{network}: every IPv{network.version} address"
    if network.num_addresses <= _COUNTABLE:
        return f"{network}: {network.num_addresses:,} addresses"
    return f"{network}: 2^{network.max_prefixlen - network.prefixlen} addresses"


def networks_in_words(networks: Sequence[str]) -> str:
    if len(networks) > _SAID_ONE_BY_ONE:
        return f"{len(networks)} addresses and networks."
    return "; ".join(_known_network(text) for text in networks)


def rule_in_words(rule: SubjectRule | None) -> tuple[str, ...]:
    """One sentence for the subject, one for each kind of name."""
    if rule is None:
        return (ANY_NAME,)
    return (
        _subject_in_words(rule),
        _names("DNS names", (_host_in_words(name) for name in rule.dns)),
        _names("IP addresses", (str(network) for network in rule.networks)),
        _names("E-mail addresses", (_mailbox_in_words(name) for name in rule.email)),
        _names("URIs", (_uri_in_words(uri) for uri in rule.uri)),
    )


def moment_in_words(moment: datetime | None, now: datetime) -> str:
    """ISO with its zone, and how far away that is."""
    if moment is None:
        return "never"
    return f"{moment:%Y-%m-%d %H:%M} UTC ({relative(moment, now)})"


def _understood(line: str) -> Understood:
    try:
        return Understood(text=network_in_words(parse_network(line)), is_good=True)
    except InvalidValue:
        return Understood(text=f"{line[:80]}: {_network_problem(line)}", is_good=False)


def _network_problem(line: str) -> str:
    try:
        meant = ip_network(line, strict=False)
    except ValueError:
        return "not an address or a CIDR block such as 10.0.0.0/24 or 2001:db8::/32"
    kind = "address" if isinstance(meant, IPv4Network) else "prefix"
    return f"its {kind} lies within the block; the block is {meant}"


def _known_network(text: str) -> str:
    try:
        return network_in_words(parse_network(text))
    except InvalidValue:
        return f"{text}: not an address"


def _subject_in_words(rule: SubjectRule) -> str:
    if not rule.template:
        return "Subject: empty, or a CN that is one of the names below."
    parts = [
        f"{ATTRIBUTE_NAMES.get(oid, oid.dotted_string)} is "
        + " or ".join("*".join(pattern.parts) for pattern in patterns)
        for oid, patterns in rule.template
    ]
    stars = any(len(pattern.parts) > 1 for _, patterns in rule.template for pattern in patterns)
    meaning = " A * stands for any characters." if stars else ""
    return f"Subject: {', and '.join(parts)}; nothing else, in any case of letters.{meaning}"


def _names(kind: str, names: Iterable[str]) -> str:
    given = tuple(names)
    return f"{kind}: {', '.join(given)}." if given else f"{kind}: none."


def _host_in_words(name: str) -> str:
    return f"any name ending {name}" if name.startswith(".") else name


def _mailbox_in_words(name: str) -> str:
    if "@" in name:
        return name
    return f"anybody at a host ending {name}" if name.startswith(".") else f"anybody at {name}"


def _uri_in_words(uri: str) -> str:
    return f"anything that begins {uri}" if uri[-1] in "/:" else uri
