"""Values are changed in a profile's text, and the rest of it stays."""

from __future__ import annotations

import pytest

from certuary.core import profile_text
from certuary.core.profile_config import KEYS, parse_profile
from certuary.core.profile_text import DEFAULTS, Value, read_values, set_values, write_values
from certuary.core.profile_words import describe, differences
from certuary.errors import InvalidProfile

TEXT = """\
# a comment
name = "plant"   # what it is called

[validity]
lifetime = "90d"  # three months

[keys]
allow = [
  "ec-p256",  # small
  "rsa-2048+",
]

[subject]
required = ["CN"]

[key_usage]
allow = ["digitalSignature"]
[extended_key_usage]
allow = ["clientAuth"]
"""

CHANGES: dict[str, tuple[str, Value, str]] = {
    "a value keeps its comment": (
        "validity.lifetime",
        "30d",
        TEXT.replace('"90d"', '"30d"'),
    ),
    "a list of several lines": (
        "keys.allow",
        ("ed25519",),
        TEXT.replace('[\n  "ec-p256",  # small\n  "rsa-2048+",\n]', '["ed25519"]'),
    ),
    "a new key of a table": (
        "validity.backdate",
        "1m",
        TEXT.replace("# three months\n", '# three months\nbackdate = "1m"\n'),
    ),
    "a new key at the top": (
        "description",
        'says "hello"',
        TEXT.replace("called\n", 'called\ndescription = "says \\"hello\\""\n'),
    ),
    "a new table": ("pointers.crl", "none", TEXT + '\n[pointers]\ncrl = "none"\n'),
    "a table of texts": (
        "subject.fixed",
        {"O": "Acme"},
        TEXT.replace('required = ["CN"]\n', 'required = ["CN"]\nfixed = { O = "Acme" }\n'),
    ),
}


@pytest.mark.parametrize(("path", "value", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_one_value_is_changed_and_nothing_else(path: str, value: Value, expected: str) -> None:
    written = set_values(TEXT, {path: value})
    assert written.toml == expected
    assert written.kept_the_rest


def test_a_text_that_cannot_be_kept_is_written_anew_and_says_so() -> None:
    inline = (
        'name = "plant"\nkeys.allow = ["ec-p256"]\nvalidity = { lifetime = "90d" }\n'
        'key_usage.allow = ["digitalSignature"]\nextended_key_usage.allow = ["clientAuth"]\n'
        'subject.required = ["CN"]  # why\n'
    )
    written = set_values(inline, {"validity.lifetime": "30d"})
    assert not written.kept_the_rest
    assert read_values(written.toml) == {**read_values(inline), "validity.lifetime": "30d"}


def test_what_is_written_reads_the_same() -> None:
    assert read_values(write_values(read_values(TEXT))) == read_values(TEXT)


def test_a_default_means_what_the_parser_takes_it_for() -> None:
    unsaid = {path: value for path, value in DEFAULTS.items() if path not in read_values(TEXT)}
    spelt_out = set_values(TEXT, unsaid).toml
    assert parse_profile(spelt_out) == parse_profile(TEXT)


def test_every_key_but_the_refused_one_has_words() -> None:
    paths = {f"{table}.{key}" if table else key for table, keys in KEYS.items() for key in keys}
    assert {fact.path for fact in describe(parse_profile(TEXT))} == paths - {"basic_constraints.ca"}


def test_a_difference_names_what_changed() -> None:
    after = parse_profile(set_values(TEXT, {"validity.lifetime": "1d"}).toml)
    changed = [each for each in differences(parse_profile(TEXT), after) if each.is_change]
    assert [(each.after.path, each.after.value) for each in changed] == [("validity.lifetime", "1 day")]


def test_a_value_that_is_there_already_changes_nothing() -> None:
    written = set_values(TEXT, {"validity.lifetime": "90d"})
    assert (written.toml, written.kept_the_rest) == (TEXT, True)


def test_a_table_in_one_line_is_written_anew() -> None:
    text = TEXT.replace('[validity]\nlifetime = "90d"  # three months\n', "").replace(
        "called\n", 'called\nvalidity = { lifetime = "90d" }\n'
    )
    written = set_values(text, {"validity.lifetime": "30d"})
    assert not written.kept_the_rest
    assert read_values(written.toml)["validity.lifetime"] == "30d"


def test_what_looks_like_a_key_within_a_text_is_not_taken_for_it() -> None:
    text = 'description = """\\\nname = [ \\\n"""\n' + TEXT
    written = set_values(text, {"name": "other"})
    assert (read_values(written.toml)["name"], written.kept_the_rest) == ("other", False)


def test_a_text_that_cannot_be_printed_is_refused() -> None:
    with pytest.raises(InvalidProfile):
        set_values(TEXT, {"description": "a\x00b"})


def test_rules_of_the_subject_are_told_in_words() -> None:
    text = TEXT.replace(
        'required = ["CN"]\n', 'required = ["CN"]\nunlisted = "drop"\ncommon_name = "listed"\n'
    )
    told = str(describe(parse_profile(text)))
    assert "left out of the certificate" in told
    assert "must repeat one of the DNS names" in told


def test_a_text_that_is_no_toml_reads_as_nothing() -> None:
    assert not profile_text._reads_as("name =", {})
