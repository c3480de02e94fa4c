"""The other ways into the portal as the settings name them: whole and usable, or refused before anything starts."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from certuary.errors import ConfigError
from certuary.server.config import load_settings
from certuary.server.portal_ways import check_ways, read_client_ca, read_provider
from tests.people_ca import PeopleCa

CA = PeopleCa()
ISSUER = "https://id.plant.example/realms/plant"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With the files that `provider` names."""
    (tmp_path / "secret").write_text(" a secret \n")
    (tmp_path / "secret").chmod(0o640)
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    return tmp_path


def write(home: Path, values: dict[str, object]) -> None:
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in values.items() if value is not None)
    (home / "certuary.toml").write_text("".join(lines))


def provider(home: Path, **changes: object) -> dict[str, object]:
    return {
        "oidc_issuer": ISSUER,
        "oidc_client_id": "certuary",
        "oidc_client_secret_file": str(home / "secret"),
        "oidc_ca_file": str(home / "ca.pem"),
        **changes,
    }


def test_a_provider_that_is_whole_is_read_with_its_secret_and_trusts_its_file_alone(home: Path) -> None:
    write(home, provider(home, oidc_acr=["phr"], oidc_second_factor="provider"))
    found = read_provider(load_settings(home))
    assert found is not None
    assert (found.issuer, found.client_id, found.client_secret) == (ISSUER, "certuary", "a secret")
    assert (found.claim, found.acr, found.asks_second_factor) == ("sub", ("phr",), False)
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert len(found.tls.get_ca_certs()) == 1
    assert "a secret" not in repr(found)


def test_without_one_there_is_no_other_way(home: Path) -> None:
    write(home, {})
    assert read_provider(load_settings(home)) is None
    assert read_client_ca(load_settings(home)) == ()


def test_client_authorities_are_all_that_their_file_holds(home: Path) -> None:
    (home / "people.pem").write_bytes(CA.pem + PeopleCa("Others").pem)
    write(home, {"portal_client_ca_file": str(home / "people.pem"), "portal_password_sign_in": False})
    assert len(read_client_ca(load_settings(home))) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oidc_client_id": None}, "'oidc_client_id' is not set"),
        ({"oidc_client_secret_file": None}, "'oidc_client_secret_file' is not set"),
        ({"oidc_issuer": None}, "'oidc_issuer' is not set"),
        ({"oidc_issuer": "http://id.plant.example"}, "an issuer is an https:// address"),
        ({"oidc_issuer": "http://127.0.0.1:8080"}, "an issuer is an https:// address"),
        ({"oidc_issuer": "https://"}, "an https:// address without query"),
        ({"oidc_issuer": f"{ISSUER}?tenant=1"}, "an https:// address without query"),
        ({"oidc_issuer": f"{ISSUER}#x"}, "an https:// address without query"),
        ({"oidc_claim": "two words"}, "is not the name of a claim"),
        ({"oidc_second_factor": "none"}, "portal or provider"),
        ({"oidc_acr": 2}, "'oidc_acr' is a list"),
        ({"oidc_client_secret": "typed into the file"}, "did you mean 'oidc_client_secret_file'?"),
        ({"portal_password_sign_in": "perhaps"}, "is true or false"),
    ],
)
def test_a_provider_that_is_not_whole_is_refused(home: Path, changes: dict[str, object], said: str) -> None:
    write(home, provider(home, **changes))
    with pytest.raises(ConfigError, match=r"^configuration: ") as refusal:
        load_settings(home)
    assert said in str(refusal.value)


def test_passwords_are_not_switched_off_where_nothing_else_opens_the_portal(home: Path) -> None:
    write(home, {"portal_password_sign_in": False})
    with pytest.raises(ConfigError, match="no other way to sign in"):
        load_settings(home)


def test_a_lock_out_is_undone_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, provider(home, portal_password_sign_in=False))
    assert not load_settings(home).portal_password_sign_in
    monkeypatch.setenv("CERTUARY_PORTAL_PASSWORD_SIGN_IN", "true")
    assert load_settings(home).portal_password_sign_in


@pytest.mark.parametrize(
    ("changes", "content", "said"),
    [
        ({"oidc_client_secret_file": "{home}/missing"}, None, "cannot be read"),
        ({"oidc_client_secret_file": "{home}/other"}, b" \n", "holds no client secret"),
        ({"oidc_client_secret_file": "{home}/other"}, b"\xff", "holds no client secret"),
        ({"oidc_ca_file": "{home}/missing"}, None, "cannot be read"),
        ({"oidc_ca_file": "{home}/other"}, b"no certificate", "holds no certificates in PEM"),
        ({"oidc_ca_file": "{home}/other"}, b"\xff", "holds no certificates in PEM"),
        ({"portal_client_ca_file": "{home}/missing"}, None, "cannot be read"),
        ({"portal_client_ca_file": "{home}/other"}, b"", "holds no certificates in PEM"),
    ],
)
def test_a_file_that_will_not_do_is_named_before_anything_starts(
    home: Path, changes: dict[str, str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (home / "other").write_bytes(content)
        (home / "other").chmod(0o600)
    named = {name: value.format(home=home) for name, value in changes.items()}
    write(home, provider(home, **named))
    with pytest.raises(ConfigError, match=r"^portal-sign-in: ") as refusal:
        check_ways(load_settings(home))
    assert said in str(refusal.value)
    assert next(iter(named.values())) in str(refusal.value)


def test_a_secret_that_everybody_can_read_is_refused(home: Path) -> None:
    (home / "secret").chmod(0o644)
    write(home, provider(home))
    with pytest.raises(ConfigError, match="is open to everyone"):
        check_ways(load_settings(home))
