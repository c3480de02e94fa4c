"""A profile as it is written: TOML, checked word by word; errors name the line and the nearest valid word.

`docs/profiles.md` documents every key; a test compares it with `KEYS`. What a single value cannot show
(does the key usage fit the keys?) is checked by `core/profile.py`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast

from cryptography import x509

from certuary.core.names import ATTRIBUTES
from certuary.errors import InvalidProfile

KeyReuse = Literal["allow", "same-names", "refuse"]
Unasked = Literal["drop", "refuse"]

MAX_TOML = 32 * 1024
MAX_LINE = 2000
"""The TOML reader takes time by the square of a dotted key's length; this bounds it."""
MAX_BACKDATE = timedelta(hours=1)
MAX_LIFETIME = timedelta(days=3660)
MIN_LIFETIME = timedelta(minutes=1)
MAX_ALTERNATIVE_NAMES = 100
KEY_WORDS = ("ec-p256", "ec-p384", "ec-p521", "ed25519", "rsa-2048+", "rsa-3072+", "rsa-4096+")
SAN_KINDS = ("dns", "ip", "email", "uri")
KEY_USAGES = ("digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement")
EXTENDED_KEY_USAGES = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "eapOverLAN": "1.3.6.1.5.5.7.3.14",
    "ipsecIKE": "1.3.6.1.5.5.7.3.17",
    "smartcardLogon": "1.3.6.1.4.1.311.20.2.2",
}
REFUSED_PURPOSES = {
    "2.5.29.37.0": "anyExtendedKeyUsage makes an unrestricted certificate",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning would let its holder answer for this authority",
}
REFUSED_KEY_USAGES = {
    "keyCertSign": "a profile cannot make certificate authorities",
    "cRLSign": "a profile cannot make certificate authorities",
}

KEYS: Mapping[str, tuple[str, ...]] = {
    "": (
        "name", "description", "authority", "est_default", "key_reuse", "unasked_extensions",
        "certificate_policies",
    ),
    "validity": ("lifetime", "backdate"),
    "keys": ("allow",),
    "subject": ("required", "optional", "fixed", "unlisted", "common_name"),
    "alternative_names": ("allow", "required", "max", "wildcards"),
    "basic_constraints": ("ca", "include", "critical"),
    "key_usage": ("allow", "critical"),
    "extended_key_usage": ("allow", "critical"),
    "pointers": ("crl", "ca"),
}  # fmt: skip

_NO_OCSP = "no OCSP responder exists here, so a certificate must not point at one"
_NO_STAPLE = "no OCSP responder exists here, so no server could staple the answer that this demands"
_NOT_OFFERED = {
    "pointers.ocsp": _NO_OCSP,
    "ocsp": _NO_OCSP,
    "must_staple": _NO_STAPLE,
    "tls_feature": _NO_STAPLE,
    "pointers.must_staple": _NO_STAPLE,
}

_NAME = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9_.-]{0,62}", re.ASCII)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,18})){1,20}", re.ASCII)
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileConfig:
    """What a profile's TOML says, defaults filled in. Purposes and policies are dotted object identifiers."""

    name: str
    description: str
    authority: str
    est_default: bool
    key_reuse: KeyReuse
    unasked_extensions: Unasked
    certificate_policies: tuple[str, ...]
    lifetime: timedelta
    backdate: timedelta
    keys: tuple[str, ...]
    subject_required: tuple[str, ...]
    subject_optional: tuple[str, ...]
    subject_fixed: tuple[tuple[str, str], ...]
    subject_unlisted: Unasked
    common_name_listed: bool
    san_allow: tuple[str, ...]
    san_required: tuple[str, ...]
    san_max: int
    san_wildcards: bool
    basic_constraints: bool
    basic_constraints_critical: bool
    key_usage: tuple[str, ...]
    key_usage_critical: bool
    purposes: tuple[str, ...]
    purposes_critical: bool
    crl_pointer: bool
    ca_pointer: bool
    source: Source = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text a profile was read from: finds the line of a key for an error."""

    text: str

    def error(self, path: str, detail: str, *, word: str = "") -> InvalidProfile:
        line = self._line(path, word)
        return InvalidProfile(f"line {line}: {path}: {detail}", path=path, line=line, problem=detail)

    def _line(self, path: str, word: str) -> int:
        """The line of `word` at or after the line of the key; 1 when the key is nowhere (it is missing)."""
        lines = self.text.split("\n")
        start = _key_line(lines, path)
        if word:
            for number in range(start, len(lines)):
                if word in lines[number]:
                    return number + 1
        return start + 1


_HEADER = re.compile(r"\s*\[+\s*([^\]]*?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")


def find_key_line(lines: list[str], path: str) -> int | None:
    """Where a key or a table's header stands, counting from 0; None when it is nowhere."""
    at = _key_line(lines, path)
    if header := _HEADER.match(lines[at]):
        return at if _bare(header[1]) == path else None
    key = _KEY.match(lines[at])
    return at if key and path in (_bare(key[1]), f"{_table_at(lines, at)}.{_bare(key[1])}") else None


def _table_at(lines: list[str], at: int) -> str:
    headers = [found for line in lines[:at] if (found := _HEADER.match(line))]
    return _bare(headers[-1][1]) if headers else ""


def _key_line(lines: list[str], path: str) -> int:
    """Where a key stands, or the table that should have held it, counting from 0."""
    table, best = "", 0
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            table = _bare(header[1])
            if path == table:
                return number
            best = number if path.startswith(table + ".") else best
        elif key := _KEY.match(line):
            full = f"{table}.{_bare(key[1])}" if table else _bare(key[1])
            if path == full:
                return number
            best = number if path.startswith(full + ".") else best
    return best


def _bare(key: str) -> str:
    return re.sub(r"[\"'\s]", "", key)


def parse_profile(toml_text: str) -> ProfileConfig:
    """Read a profile; anything wrong with it is an `InvalidProfile`."""
    source = Source(text=toml_text)
    values = _flatten(_load(toml_text), source)
    reader = _Reader(values, source)
    return ProfileConfig(
        name=reader.name("name"),
        description=reader.text("description", ""),
        authority=reader.name("authority", "issuing"),
        est_default=reader.flag("est_default", default=False),
        key_reuse=cast(KeyReuse, reader.choice("key_reuse", ("allow", "same-names", "refuse"))),
        unasked_extensions=cast(Unasked, reader.choice("unasked_extensions", ("drop", "refuse"))),
        certificate_policies=reader.oids("certificate_policies", {}, {}),
        lifetime=reader.duration("validity.lifetime", MIN_LIFETIME, MAX_LIFETIME),
        backdate=reader.duration("validity.backdate", timedelta(0), MAX_BACKDATE, "5m"),
        keys=reader.words("keys.allow", KEY_WORDS, needed=True),
        subject_required=reader.words("subject.required", ATTRIBUTES),
        subject_optional=reader.words("subject.optional", ATTRIBUTES),
        subject_fixed=reader.pairs("subject.fixed", ATTRIBUTES),
        subject_unlisted=cast(Unasked, reader.choice("subject.unlisted", ("refuse", "drop"))),
        common_name_listed=reader.choice("subject.common_name", ("free", "listed")) == "listed",
        san_allow=reader.words("alternative_names.allow", SAN_KINDS),
        san_required=reader.words("alternative_names.required", SAN_KINDS),
        san_max=reader.number("alternative_names.max", 0, MAX_ALTERNATIVE_NAMES, 10),
        san_wildcards=reader.flag("alternative_names.wildcards", default=False),
        basic_constraints=reader.leaf_constraints("basic_constraints.ca", "basic_constraints.include"),
        basic_constraints_critical=reader.flag("basic_constraints.critical", default=True),
        key_usage=reader.words("key_usage.allow", KEY_USAGES, needed=True, refused=REFUSED_KEY_USAGES),
        key_usage_critical=reader.flag("key_usage.critical", default=True),
        purposes=reader.oids("extended_key_usage.allow", EXTENDED_KEY_USAGES, REFUSED_PURPOSES, needed=True),
        purposes_critical=reader.flag("extended_key_usage.critical", default=False),
        crl_pointer=reader.choice("pointers.crl", ("auto", "none")) == "auto",
        ca_pointer=reader.choice("pointers.ca", ("auto", "none")) == "auto",
        source=source,
    )


def _load(toml_text: str) -> dict[str, object]:
    if len(toml_text) > MAX_TOML:
        raise InvalidProfile(f"line 1: a profile is at most {MAX_TOML} characters long")
    for number, line in enumerate(toml_text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            raise InvalidProfile(f"line {number}: a line is at most {MAX_LINE} characters long", line=number)
    try:
        toml_text.encode()
        return tomllib.loads(toml_text)
    except UnicodeEncodeError:
        raise InvalidProfile("line 1: the text has half a character in it (a lone surrogate)") from None
    except ValueError as problem:  # TOMLDecodeError, or a date that does not exist
        where = re.search(r"line (\d+)", str(problem))  # none when the text ends too early
        at_line = int(where[1]) if where else toml_text.count("\n") + 1
        raise InvalidProfile(f"line {at_line}: not TOML: {problem}", line=at_line) from None
    except RecursionError:
        raise InvalidProfile("line 1: not a profile: nested too deeply") from None


def _flatten(document: Mapping[str, object], source: Source) -> dict[str, object]:
    """One level: `validity.lifetime` -> value. Refuses every key that is not in `KEYS`."""
    values: dict[str, object] = {}
    for key, value in document.items():
        if key in KEYS[""]:
            values[key] = value
        elif key in KEYS and key:
            if not isinstance(value, dict):
                raise source.error(key, f"it is a table: write [{key}]")
            for inner, inner_value in value.items():
                _refuse_unknown(f"{key}.", inner, KEYS[key], source)
                values[f"{key}.{inner}"] = inner_value
        else:
            _refuse_unknown("", key, (*KEYS[""], *(table for table in KEYS if table)), source)
    return values


def _refuse_unknown(prefix: str, key: str, known: Collection[str], source: Source) -> None:
    if key in known:
        return
    path = prefix + key
    if path in _NOT_OFFERED:
        raise source.error(path, _NOT_OFFERED[path])
    shown = path[:80].encode("unicode_escape").decode()
    raise source.error(shown, f"there is no such key; did you mean {prefix + nearest(key, known)!r}?")


def nearest(word: str, known: Collection[str]) -> str:
    """The known word most like it, whatever the case; there is always one."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word[:64].lower(), by_lower, n=1, cutoff=0.0)
    return by_lower[found[0]]


class _Reader:
    """Typed access to the flattened values."""

    def __init__(self, values: Mapping[str, object], source: Source) -> None:
        self._values = values
        self._source = source

    def text(self, path: str, default: str | None = None) -> str:
        value = self._values.get(path, default)
        if value is None:
            raise self._source.error(path, "this key is needed")
        if not isinstance(value, str):
            raise self._source.error(path, "it is a text in quotes")
        if len(value) > 1024 or not value.isprintable():
            raise self._source.error(path, "it is at most 1024 printable characters")
        return value

    def name(self, path: str, default: str | None = None) -> str:
        value = self.text(path, default)
        if not _NAME.fullmatch(value):
            raise self._source.error(
                path,
                "a name is up to 63 of a-z, 0-9, '-', '_', '.', starts with a letter or digit, has a letter",
            )
        return value

    def flag(self, path: str, *, default: bool) -> bool:
        value = self._values.get(path, default)
        if not isinstance(value, bool):
            raise self._source.error(path, "it is true or false")
        return value

    def number(self, path: str, low: int, high: int, default: int) -> int:
        value = self._values.get(path, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._source.error(path, f"it is a whole number from {low} to {high}")
        return value

    def choice(self, path: str, choices: tuple[str, ...]) -> str:
        """The first choice is the default."""
        value = self.text(path, choices[0])
        if value not in choices:
            raise self._no_such_word(path, value, choices)
        return value

    def duration(self, path: str, low: timedelta, high: timedelta, default: str | None = None) -> timedelta:
        value = self.text(path, default)
        match = _DURATION.fullmatch(value)
        if not match and value not in ("0s", "0m", "0h", "0d"):
            raise self._source.error(path, 'it is a number and one of s, m, h, d, for example "90d"')
        length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
        if not low <= length <= high:
            raise self._source.error(path, f"it is from {_short(low)} to {_short(high)}")
        return length

    def words(
        self,
        path: str,
        known: Collection[str],
        *,
        needed: bool = False,
        refused: Mapping[str, str] | None = None,
    ) -> tuple[str, ...]:
        words = self._texts(path, needed=needed)
        for word in words:
            if refused and word in refused:
                raise self._source.error(path, f"{word}: {refused[word]}", word=word)
            if word not in known:
                raise self._no_such_word(path, word, known)
        return words

    def oids(
        self, path: str, known: Mapping[str, str], refused: Mapping[str, str], *, needed: bool = False
    ) -> tuple[str, ...]:
        """Words of `known` or dotted object identifiers; dotted in the result."""
        return tuple(self._oid(path, word, known, refused) for word in self._texts(path, needed=needed))

    def _oid(self, path: str, word: str, known: Mapping[str, str], refused: Mapping[str, str]) -> str:
        dotted = known.get(word, word)
        if dotted in refused:
            raise self._source.error(path, refused[dotted], word=word)
        for reason in refused.values():
            if reason.startswith(word + " "):
                raise self._source.error(path, reason, word=word)
        if not _is_oid(dotted):
            if known:
                raise self._no_such_word(path, word, known)
            raise self._source.error(
                path, f"{word[:80]!r} is not an object identifier such as 1.3.6.1.4.1.99999.1"
            )
        return dotted

    def pairs(self, path: str, known: Collection[str]) -> tuple[tuple[str, str], ...]:
        value = self._values.get(path, {})
        if not isinstance(value, dict):
            raise self._source.error(path, 'it is a table such as { O = "Acme" }')
        for word, text in value.items():
            if word not in known:
                raise self._no_such_word(path, word, known)
            if not isinstance(text, str) or not text:
                raise self._source.error(f"{path}.{word}", "it is a text in quotes")
        return tuple(value.items())

    def leaf_constraints(self, ca_path: str, include_path: str) -> bool:
        if self.flag(ca_path, default=False):
            raise self._source.error(ca_path, "a profile cannot make certificate authorities")
        return self.flag(include_path, default=True)

    def _texts(self, path: str, *, needed: bool) -> tuple[str, ...]:
        value = self._values.get(path, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._source.error(path, "it is a list of texts in quotes")
        if needed and not value:
            raise self._source.error(path, "at least one is needed")
        if len(set(value)) != len(value):
            raise self._source.error(path, "one of them stands there twice")
        return tuple(value)

    def _no_such_word(self, path: str, word: str, known: Collection[str]) -> InvalidProfile:
        return self._source.error(
            path, f"there is no {word[:80]!r}; did you mean {nearest(word, known)!r}?", word=word
        )


def _is_oid(dotted: str) -> bool:
    if not _OID.fullmatch(dotted):
        return False
    try:
        x509.ObjectIdentifier(dotted)
    except ValueError:
        return False
    return True


def _short(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
