"""docs/profiles.md says what the code does: every key, every word, every refusal; its examples are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from certuary.core import alternative_names, profile, subject_policy
from certuary.core.lints import LINTS
from certuary.core.names import ATTRIBUTES
from certuary.core.profile import Profile, parse_profile
from certuary.core.profile_config import EXTENDED_KEY_USAGES, KEY_USAGES, KEY_WORDS, KEYS, SAN_KINDS
from certuary.core.subject_rule import SubjectRule
from tests.unit.core.issuing import MINIMAL, SHIPPED

TEXT = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text()
PATHS = sorted(f"{table}.{key}".lstrip(".") for table, keys in KEYS.items() for key in keys)


def rows(heading: str) -> list[list[str]]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_key_has_its_row_and_no_other_has_one() -> None:
    assert sorted(row[0].strip("`") for row in rows("Every key")) == PATHS


@pytest.mark.parametrize(
    "word",
    [*KEY_WORDS, *SAN_KINDS, *KEY_USAGES, *EXTENDED_KEY_USAGES, *ATTRIBUTES, *(lint.RULE for lint in LINTS)],
)
def test_every_word_is_mentioned(word: str) -> None:
    assert f"`{word}`" in TEXT


def test_the_defaults_are_those_of_the_code() -> None:
    config = parse_profile(MINIMAL)
    values = {
        "authority": config.authority,
        "key_reuse": config.key_reuse,
        "unasked_extensions": config.unasked_extensions,
        "subject.unlisted": config.subject_unlisted,
        "est_default": config.est_default,
        "alternative_names.max": config.san_max,
        "alternative_names.wildcards": config.san_wildcards,
        "basic_constraints.include": config.basic_constraints,
        "basic_constraints.critical": config.basic_constraints_critical,
        "key_usage.critical": config.key_usage_critical,
        "extended_key_usage.critical": config.purposes_critical,
    }
    documented = {row[0].strip("`"): row[1].strip("`").strip('"') for row in rows("Every key")}
    assert {
        path: str(value).replace("True", "true").replace("False", "false") for path, value in values.items()
    } == {path: documented[path] for path in values}


def test_the_whole_profile_is_one_and_uses_every_key() -> None:
    toml = TEXT.split("```toml\n")[1].split("```")[0]
    assert Profile.from_toml(toml).name == "plant-device"
    written = set(re.findall(r"^(\w+) =", toml, re.MULTILINE))
    assert written == {path.rpartition(".")[2] for path in PATHS}


def test_the_shipped_profiles_are_listed_with_their_lifetime() -> None:
    listed = {row[0].split("`")[1]: row[-1] for row in rows("The four that come along")}
    assert listed == {name: str(Profile.from_toml(text).lifetime.days) for name, text in SHIPPED.items()}


def test_the_subject_rule_of_the_page_is_one() -> None:
    text = next(line for line in TEXT.splitlines() if line.startswith("CN=dev-*"))
    assert str(SubjectRule.parse(text)) == text


def test_every_rule_that_refuses_a_request_has_its_row() -> None:
    documented = {
        rule for row in rows("What a refusal is called") for rule in re.findall(r"`([a-z-]+)`", row[0])
    }
    raised: set[str] = set()
    for module in (profile, subject_policy, alternative_names):
        source = Path(str(module.__file__)).read_text()
        raised |= set(re.findall(r'rule="([a-z-]+)"', source))
        raised |= set(re.findall(r'_refused\(\s*f?"[^\n]*",\s*"([a-z-]+)"\s*\)', source))
        raised |= set(re.findall(r'",\s*"([a-z]+-[a-z-]+)"\s*\)', source))
    assert len(raised) > 15
    assert raised <= documented
    assert documented - raised == {"subject-refused", "uri"} - raised
