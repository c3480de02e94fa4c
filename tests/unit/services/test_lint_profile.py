"""A profile is linted by what its certificates look like, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from certuary.core.certificate import CertificatePlan
from certuary.core.lints import Finding
from certuary.core.profile import Profile
from certuary.errors import InvalidProfile
from certuary.services import lint_profile as module
from certuary.services.lint_profile import lint_profile, sample_request
from tests.unit.core.issuing import MINIMAL, NOW, SHIPPED, changed, public_key


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_pkilint_finds_nothing_in_a_shipped_profile(name: str) -> None:
    assert lint_profile(Profile.from_toml(SHIPPED[name]), now=NOW) == ()


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL,
        changed(MINIMAL, '["ec-p256", "rsa-2048+", "ed25519"]', '["ec-p521", "ec-p384", "rsa-3072+"]'),
        changed(
            changed(MINIMAL, 'required = ["CN"]', 'common_name = "listed"\nrequired = []'),
            '"dns", "ip"',
            '"ip"',
        ).replace('optional = ["C",', 'optional = ["CN", "C",'),
        'certificate_policies = ["1.3.6.1.4.1.99999.1"]\nbasic_constraints.include = false\n' + MINIMAL,
    ],
)
def test_pkilint_finds_nothing_in_other_sound_profiles(text: str) -> None:
    assert lint_profile(Profile.from_toml(text), now=NOW) == ()


def test_what_pkilint_finds_comes_back_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STATUS_URL", "http://localhost")  # pkilint wants a dot in a host
    findings = lint_profile(Profile.from_toml(SHIPPED["tls-device"]), now=NOW)
    assert len(findings) == 2
    assert findings[0].startswith("pkix.invalid_uri_syntax: Invalid URI syntax: ")
    assert "(extensions.4." in findings[0]


def test_a_profile_that_refuses_a_request_made_after_it_is_invalid() -> None:
    text = changed(MINIMAL, 'required = ["CN"]', 'common_name = "listed"\nfixed = { CN = "other" }')
    with pytest.raises(InvalidProfile, match="common-name-not-listed"):
        lint_profile(Profile.from_toml(text), now=NOW)


def test_a_profile_whose_plan_our_own_lints_refuse_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(plan: CertificatePlan) -> tuple[Finding, ...]:
        return (Finding(rule="key-usage", clause="RFC 5280 section 4.2.1.3", detail="there is none"),)

    monkeypatch.setattr(module, "lint_plan", refuse)
    with pytest.raises(InvalidProfile, match="key-usage: there is none"):
        lint_profile(Profile.from_toml(MINIMAL), now=NOW)


def test_a_linter_that_hangs_is_given_up() -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(InvalidProfile, match=r"no answer within 0\.2 s"):
        lint_profile(Profile.from_toml(MINIMAL), now=NOW, timeout_seconds=0.2, command=command)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import sys; sys.exit('cannot start: no pkilint')", "the linter failed: cannot start: no pkilint"),
        ("raise SystemExit(3)", "the linter failed: without a word"),
    ],
)
def test_a_linter_that_fails_does_not_pass_the_profile(script: str, says: str) -> None:
    with pytest.raises(InvalidProfile, match=says):
        lint_profile(Profile.from_toml(MINIMAL), now=NOW, command=(sys.executable, "-c", script))


def test_a_sample_uses_every_name_that_the_profile_takes() -> None:
    profile = Profile.from_toml(changed(MINIMAL, "[subject]", '[subject]\nfixed = { title = "x" }'))
    request = sample_request(profile, public_key("ec-p256"))
    assert {each.oid for each in request.subject} == profile.subject.allowed - set(profile.subject.fixed)
    assert len(request.alternative_names) == 4
    few = Profile.from_toml(changed(MINIMAL, '"uri"]', '"uri"]\nmax = 1\nrequired = ["uri"]'))
    assert [str(each.value)[:8] for each in sample_request(few, public_key("ec-p256")).alternative_names] == [
        "https://"
    ]


def test_the_linter_is_not_loaded_into_the_process_that_asks() -> None:
    script = (
        "import sys, datetime\n"
        "from certuary.core.profile import Profile\n"
        "from certuary.services.lint_profile import lint_profile\n"
        f"text = {SHIPPED['tls-client']!r}\n"
        "assert lint_profile(Profile.from_toml(text), now=datetime.datetime.now(datetime.UTC)) == ()\n"
        "assert 'pkilint' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
