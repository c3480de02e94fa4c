"""Subject rules: which names an application may ask for, so that one leaked password cannot ask for any name.

    CN=dev-*,O=Acme; dns=.plant.example,host.example; ip=10.0.0.0/24; email=.acme.example; uri=urn:acme:

One clause is the template of the subject, the others limit one kind of subject alternative name each; a
kind without a clause is refused altogether. `docs/profiles.md` tells the rules in full; the ones that are
easy to get wrong:

- Every attribute of the subject must match the template, and every attribute of the template must be there.
  A `*` stands for characters of one value, never for `, + " \\ < > ; =`, so that no value can look like two
  attributes.
- A template without CN (or no template) lets a CN through only when it is a name the dns or ip clause
  permits.
- `.plant.example` covers names below plant.example at label boundaries, not plant.example itself.

Backslash takes the meaning from the character after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.x509.oid import NameOID

from certuary.core.names import ATTRIBUTE_NAMES, ATTRIBUTES, fold
from certuary.core.values import Network, fold_address, parse_network
from certuary.errors import InvalidValue, SubjectRefused

_KINDS = ("dns", "ip", "email", "uri")
_ATTRIBUTE_BY_WORD = {word.lower(): oid for word, oid in ATTRIBUTES.items()}
_LOOKS_LIKE_TWO = re.compile(r'[,+"\\<>;=\x00-\x1f\x7f]')
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
_MAX_TEXT = 4096
_MAX_VALUE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuePattern:
    """A value with `*` in it, cut at each `*`: one part means no star. Parts are folded, as values are."""

    parts: tuple[str, ...]

    def matches(self, value: str) -> bool:
        if len(value) > _MAX_VALUE:
            return False
        folded = fold(value)
        first, last = self.parts[0], self.parts[-1]
        if len(self.parts) == 1:
            return folded == first
        if len(folded) < len(first) + len(last):
            return False
        if not (folded.startswith(first) and folded.endswith(last)):
            return False
        return self._stars_fit(folded[len(first) : len(folded) - len(last)])

    def _stars_fit(self, middle: str) -> bool:
        # Taking each literal part where it first occurs finds a match if there is one, in linear time.
        for part in self.parts[1:-1]:
            star, found, middle = middle.partition(part)
            if not found or _LOOKS_LIKE_TWO.search(star):
                return False
        return not _LOOKS_LIKE_TWO.search(middle)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRule:
    """`text` is the rule as written, blanks levelled. A tuple that is empty permits nothing of its kind."""

    text: str
    template: tuple[tuple[x509.ObjectIdentifier, tuple[ValuePattern, ...]], ...] = ()
    dns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    email: tuple[str, ...] = ()
    uri: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> SubjectRule:
        """Read a rule as people write it; `InvalidValue` says what is wrong with it."""
        return _parse(text)

    def __str__(self) -> str:
        return self.text

    def check(self, subject: x509.Name, alternative_names: Iterable[x509.GeneralName]) -> None:
        """Refuse names outside the rule, naming the first one."""
        self._check_subject(subject)
        for name in alternative_names:
            if not self._permits(name):
                raise SubjectRefused(f"the application's subject rule does not permit {_show(name)}")

    def _check_subject(self, subject: x509.Name) -> None:
        template = dict(self.template)
        missing = set(template)
        for attribute in subject:
            patterns = template.get(attribute.oid)
            value = attribute.value
            missing.discard(attribute.oid)
            if not isinstance(value, str) or not self._attribute_fits(attribute.oid, value, patterns):
                shown = f"{_word(attribute.oid)}={str(value)[:80]!r}"
                raise SubjectRefused(f"the application's subject rule does not permit {shown}")
        if missing:
            words = ", ".join(sorted(_word(oid) for oid in missing))
            raise SubjectRefused(f"the application's subject rule wants a subject with {words}")

    def _attribute_fits(
        self, oid: x509.ObjectIdentifier, value: str, patterns: tuple[ValuePattern, ...] | None
    ) -> bool:
        if patterns is not None:
            return any(pattern.matches(value) for pattern in patterns)
        return oid == NameOID.COMMON_NAME and (self._permits_host(value) or self._permits_address_text(value))

    def _permits(self, name: x509.GeneralName) -> bool:
        if isinstance(name, x509.DNSName):
            return self._permits_host(name.value)
        if isinstance(name, x509.IPAddress):
            return isinstance(name.value, IPv4Address | IPv6Address) and self._permits_address_text(
                str(name.value)
            )
        if isinstance(name, x509.RFC822Name):
            return self._permits_mailbox(name.value)
        if isinstance(name, x509.UniformResourceIdentifier):
            return any(_uri_fits(name.value, permitted) for permitted in self.uri)
        return False

    def _permits_host(self, host: str) -> bool:
        folded = host.lower()
        # A wildcard stands for names below its parent, so it is permitted where those are.
        labels = folded.removeprefix("*.")
        return _HOST.fullmatch(labels) is not None and any(
            _host_fits(folded, permitted) for permitted in self.dns
        )

    def _permits_address_text(self, text: str) -> bool:
        try:
            address = fold_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def _permits_mailbox(self, mailbox: str) -> bool:
        local, at, host = mailbox.rpartition("@")
        if not local or not at or "@" in local:
            return False
        for permitted in self.email:
            if "@" in permitted:
                if permitted == f"{local}@{host.lower()}":
                    return True
            elif _host_fits(host.lower(), permitted):
                return True
        return False


def _host_fits(host: str, permitted: str) -> bool:
    if not permitted.startswith("."):
        return host == permitted
    return host.endswith(permitted) and len(host) > len(permitted)


def _uri_fits(uri: str, permitted: str) -> bool:
    # A prefix must end where a part of the URI ends: "spiffe://acme.example" would cover
    # acme.example.evil.test.
    if permitted[-1] in "/:":
        return uri.startswith(permitted) and len(uri) > len(permitted) and "/.." not in uri
    return uri == permitted


def _word(oid: x509.ObjectIdentifier) -> str:
    return ATTRIBUTE_NAMES.get(oid, oid.dotted_string)


def _show(name: x509.GeneralName) -> str:
    return f"{type(name).__name__} {str(name.value)[:80]!r}"


def _parse(text: str) -> SubjectRule:
    if not text.strip() or len(text) > _MAX_TEXT or not text.isprintable():
        raise _invalid(f"it is 1 to {_MAX_TEXT} printable characters")
    template: dict[x509.ObjectIdentifier, list[ValuePattern]] = {}
    lists: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    shown: list[str] = []
    for clause in _split(text, ";"):
        kind, items = _clause(clause)
        if kind:
            lists[kind].extend(_item(kind, item) for item in items)
        else:
            _add_to_template(template, items)
        shown.append(f"{kind}={','.join(items)}" if kind else ",".join(items))
    return SubjectRule(
        text="; ".join(shown),
        template=tuple((oid, tuple(patterns)) for oid, patterns in template.items()),
        dns=tuple(lists["dns"]),
        networks=tuple(parse_network(item) for item in lists["ip"]),
        email=tuple(lists["email"]),
        uri=tuple(lists["uri"]),
    )


def _clause(clause: str) -> tuple[str, list[str]]:
    """The kind of a clause ("" for the subject's template) and its items, still escaped."""
    word, equals, rest = clause.partition("=")
    kind = word.strip().lower()
    if not equals:
        raise _invalid(f"{clause.strip()!r} is neither CN=value nor one of {', '.join(_KINDS)} with =")
    if kind not in _KINDS:
        return "", [item.strip() for item in _split(clause, ",")]
    items = [item.strip() for item in _split(rest, ",")]
    if not all(items):
        raise _invalid(f"{clause.strip()!r} has an empty entry")
    return kind, items


def _add_to_template(template: dict[x509.ObjectIdentifier, list[ValuePattern]], items: Iterable[str]) -> None:
    for item in items:
        word, equals, value = item.partition("=")
        oid = _ATTRIBUTE_BY_WORD.get(word.strip().lower())
        if oid is None or not equals or not value.strip():
            raise _invalid(f"{item!r} is not ATTRIBUTE=value with one of {', '.join(ATTRIBUTES)}")
        parts = tuple(_unescape(part) for part in _split(value.strip(), "*"))
        template.setdefault(oid, []).append(ValuePattern(parts=_fold_parts(parts)))


def _fold_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Fold around the stars: a blank beside a star is part of the value, one at either end is not."""
    mark = "\x00"
    first, *inner = fold(mark.join(parts)).split(mark)
    # Two stars side by side say no more than one.
    return (first, *(part for part in inner[:-1] if part), *inner[-1:])


def _item(kind: str, item: str) -> str:
    text = _unescape(item)
    if kind == "ip":
        return str(parse_network(text))
    if kind == "uri":
        return _checked_uri(text)
    local, at, host = text.rpartition("@")
    if kind == "dns" and at:
        raise _invalid(f"{text!r} is not a DNS name")
    if not _HOST.fullmatch(host.lower().removeprefix(".")) or (at and (not local or host.startswith("."))):
        raise _invalid(f"{text!r} is not a name such as host.example, or .example for all below it")
    return local + at + host.lower()


def _checked_uri(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", text):
        raise _invalid(f"{text!r} is not a URI or the beginning of one that ends in / or :")
    if "://" in text and text.endswith(":"):
        # What follows a host and a colon may be a password, and then another host.
        raise _invalid(f"{text!r} ends in the middle of an authority; end it with /")
    return text


def _split(text: str, separator: str) -> Iterator[str]:
    """Cut at each separator that has no backslash before it; backslashes stay."""
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == separator:
            yield text[start:position]
            start = position + 1
        position += 1
    yield text[start:]


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _invalid(detail: str) -> InvalidValue:
    return InvalidValue(f"the subject rule cannot be read: {detail}", rule="subject-rule")
