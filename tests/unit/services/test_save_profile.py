from __future__ import annotations

import pytest

from certuary.core.profile import Profile
from certuary.errors import InvalidProfile, NotPermitted
from certuary.services.change_deps import ChangeDeps
from certuary.services.initialise import shipped_profiles
from certuary.services.save_profile import check_profile_text, save_profile
from tests.memory_records import MemoryRecords
from tests.unit.services.change_fixtures import ADMIN_1, OFFICER_1, installation, kinds_of

TOML = next(toml for toml in shipped_profiles() if 'name = "tls-client"' in toml)


def with_authority() -> tuple[MemoryRecords, ChangeDeps]:
    records, deps = installation()
    records.create("authority", {"name": "root", "kind": "root"})
    records.create("authority", {"name": "issuing", "kind": "issuing"})
    return records, deps


def no_finding(profile: Profile) -> tuple[str, ...]:
    return ()


def test_a_new_profile_is_version_1_and_changed_text_the_next() -> None:
    _, deps = with_authority()
    first = save_profile(ADMIN_1, TOML, no_finding, deps)
    assert (first.is_new, first.record.values["current_version"]) == (True, 1)
    second = save_profile(ADMIN_1, TOML + "\n", no_finding, deps)
    assert (second.is_new, second.record.values["current_version"]) == (False, 2)
    assert second.record.id == first.record.id


def test_the_same_text_makes_no_version() -> None:
    records, deps = with_authority()
    save_profile(ADMIN_1, TOML, no_finding, deps)
    again = save_profile(ADMIN_1, TOML, no_finding, deps)
    assert again.is_unchanged
    assert kinds_of(records) == ["profile.added"]


@pytest.mark.parametrize(
    ("authority", "text"),
    [("isuing", "did you mean 'issuing'"), ("root", "there is no issuing authority 'root'")],
)
def test_a_profile_of_no_issuing_authority_is_refused(authority: str, text: str) -> None:
    records, deps = with_authority()
    toml = TOML.replace('authority = "issuing"', f'authority = "{authority}"')
    with pytest.raises(InvalidProfile, match=text):
        save_profile(ADMIN_1, toml, no_finding, deps)
    assert records.find("profile", name="tls-client") is None


def test_a_profile_that_the_linter_finds_fault_with_is_refused_with_its_findings() -> None:
    with pytest.raises(InvalidProfile, match="would be wrong: first; second"):
        check_profile_text(TOML, lambda profile: ("first", "second"))


def test_the_linter_is_not_asked_about_what_does_not_parse() -> None:
    asked: list[Profile] = []

    def lint(profile: Profile) -> tuple[str, ...]:
        asked.append(profile)
        return ()

    with pytest.raises(InvalidProfile, match="line 1"):
        check_profile_text("nonsense", lint)
    assert asked == []


def test_an_officer_saves_no_profile() -> None:
    records, deps = with_authority()
    with pytest.raises(NotPermitted):
        save_profile(OFFICER_1, TOML, no_finding, deps)
    assert records.find("profile", name="tls-client") is None
