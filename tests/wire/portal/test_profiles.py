"""Manage Profiles and Labels: create, clone, edit, compare; form and TOML side by side."""

from __future__ import annotations

import html
import re
from importlib import resources
from typing import Any

import pytest

from certuary.core.profile import Profile
from certuary.portal.forms.profiles import ProfileForm
from certuary.portal.profile_editor import open_editor
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from tests.wire.portal.pages import Confirm, Page, Portal, PortalClient, SignIn, field_of, text_of

SHIPPED = ("tls-device", "tls-server", "tls-client", "network-gear")
AUTHORITIES = ("issuing",)


def shipped(name: str) -> str:
    return (resources.files("certuary") / "profiles" / f"{name}.toml").read_text()


def sent(form: ProfileForm) -> dict[str, Any]:
    """What a browser would post of a form as it is shown."""
    values: dict[str, Any] = {}
    for field in form:
        value = field.value()
        if value is True:
            values[field.name] = "on"
        elif value not in (False, None):
            values[field.name] = value
    return values


def posted(shown: str, /, **changes: Any) -> dict[str, Any]:
    """The whole editor as it is posted after these fields were edited."""
    values = {**sent(open_editor(shown, AUTHORITIES).form), "shown": shown, "toml": shown, "act": "preview"}
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def area(page: Page, name: str) -> str:
    """What a text area of the page holds."""
    found = re.search(rf'(?s)<textarea[^>]*name="{name}"[^>]*>\n?(.*?)</textarea>', page.content.decode())
    assert found is not None, text_of(page)
    return html.unescape(found[1])


def edit_page(client: PortalClient, url: str, values: dict[str, Any]) -> Page:
    return client.post_form(url, values)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_goes_through_the_form_and_back_unchanged(client: PortalClient, name: str) -> None:
    toml = shipped(name)
    page = edit_page(client, "/profiles/new/", posted(toml, act="form"))
    assert area(page, "toml") == toml
    assert "Form and TOML say the same" in text_of(page)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_edited_field_changes_its_line_and_leaves_the_comments(client: PortalClient, name: str) -> None:
    toml = shipped(name)
    page = edit_page(client, "/profiles/new/", posted(toml, lifetime="12d"))
    changed = area(page, "toml")
    before, after = toml.splitlines(), changed.splitlines()
    assert [line for line in after if line not in before] == ['lifetime = "12d"']
    assert after[0].startswith("#")
    assert Profile.from_toml(changed).lifetime.days == 12


def test_edited_toml_is_carried_into_the_form(client: PortalClient) -> None:
    toml = shipped("tls-device")
    edited = toml.replace('lifetime = "90d"', 'lifetime = "7d"  # short')
    page = edit_page(client, "/profiles/new/", posted(toml, toml=edited))
    assert field_of(page, "lifetime") == "7d"
    assert area(page, "toml") == edited
    assert area(page, "shown") == edited


def test_when_both_sides_were_edited_a_person_chooses(client: PortalClient) -> None:
    toml = shipped("tls-device")
    both = posted(toml, toml=toml.replace("90d", "7d"), lifetime="12d")
    assert "were both edited" in text_of(edit_page(client, "/profiles/new/", both))
    assert field_of(edit_page(client, "/profiles/new/", {**both, "act": "toml"}), "lifetime") == "7d"
    assert 'lifetime = "12d"' in area(edit_page(client, "/profiles/new/", {**both, "act": "form"}), "toml")


def test_bad_toml_names_the_line_and_the_nearest_word_and_loses_nothing(client: PortalClient) -> None:
    toml = shipped("tls-device")
    wrong = toml.replace("clientAuth", "clientAut")
    page = edit_page(client, "/profiles/new/", posted(toml, toml=wrong, act="proceed"))
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if "clientAut" in text)
    assert f"line {line}: extended_key_usage.allow: there is no 'clientAut'" in text_of(page)
    assert "did you mean 'clientAuth'" in text_of(page)
    assert area(page, "toml") == wrong


def test_a_wrong_value_stands_at_its_field(client: PortalClient) -> None:
    page = edit_page(client, "/profiles/new/", posted(shipped("tls-device"), lifetime="90 days"))
    assert 'id="id_lifetime_error"' in page.content.decode()
    assert field_of(page, "lifetime") == "90 days"


def test_a_profile_is_created_signed_edited_and_compared(client: PortalClient, confirm: Confirm) -> None:
    toml = shipped("tls-device").replace('"tls-device"', '"plant"')
    start = posted(toml, act="proceed")
    proceed = edit_page(client, "/profiles/new/", start)
    assert proceed.status_code == 302, text_of(proceed)
    review = text_of(client.get(proceed.url))
    assert "90 days" in review
    assert 'name = "plant"' in review
    saved = confirm(client, proceed.url)
    assert saved.status_code == 302, text_of(saved)
    url = saved.url

    edited = posted(toml, lifetime="30d", act="proceed")
    proceed = edit_page(client, f"{url}edit/", edited)
    review = client.get(proceed.url).content.decode()
    assert re.search(r"<del>.*?90 days</del> <ins>.*?30 days</ins>", review)
    assert "Backdated" not in review
    assert confirm(client, proceed.url).url == url
    page = text_of(client.get(f"{url}versions/1..2/"))
    assert "was 90 days becomes 30 days" in page
    assert 'lifetime = "30d"' in page
    toml_file = client.get(f"{url}versions/2.toml")
    assert 'lifetime = "30d"' in toml_file.content.decode()


def test_a_clone_has_another_name_and_the_same_words(client: PortalClient, portal: Portal) -> None:
    record = portal.stores.records.find("profile", name="tls-server")
    assert record is not None
    cloned = area(client.get(f"/profiles/new/?clone={record.id}"), "toml")
    assert cloned == shipped("tls-server").replace('"tls-server"', '"tls-server-copy"')


def test_a_profile_keeps_its_name(client: PortalClient, portal: Portal) -> None:
    record = portal.stores.records.find("profile", name="tls-server")
    assert record is not None
    page = edit_page(
        client, f"/profiles/{record.id}/edit/", posted(shipped("tls-server"), name="other", act="proceed")
    )
    assert "a profile keeps its name" in text_of(page)


def test_what_the_linter_finds_stands_at_the_field(
    client: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certuary.portal import profile_checks
    from certuary.services.lint_profile import Fault

    fault = Fault(text="pkix.wrong: wrong", node="extensions.1.extnValue.extKeyUsage")
    monkeypatch.setattr(profile_checks, "find_faults", lambda profile, now: (fault,))
    toml = shipped("tls-device").replace('"tls-device"', '"plant"')
    page = edit_page(client, "/profiles/new/", posted(toml, act="proceed"))
    assert 'id="id_purposes_error"' in page.content.decode()
    assert "pkix.wrong" in text_of(page)


def test_a_preview_shows_a_certificate_and_makes_no_row(client: PortalClient, portal: Portal) -> None:
    before = rows(portal)
    page = edit_page(client, "/profiles/new/", posted(shipped("network-gear")))
    assert "TLS client, TLS server, IPsec IKE" in text_of(page)
    assert "BEGIN CERTIFICATE" in page.content.decode()
    assert rows(portal) == before


def test_typing_answers_with_the_parts_that_change(client: PortalClient) -> None:
    values = posted(shipped("tls-device"), lifetime="5d")
    page = client.post_form_at("/profiles/new/", "/profiles/new/", values, headers={"hx-request": "true"})
    content = page.content.decode()
    assert "<html" not in content
    assert 'id="editor-toml" hx-swap-oob="innerHTML"' in content
    assert 'id="editor-form"' not in content


def test_labels_are_added_and_removed_with_a_signature(
    client: PortalClient, confirm: Confirm, portal: Portal
) -> None:
    proceed = client.post_form("/labels/new/", {"name": "plant", "profile": "tls-server"})
    assert "/plant/simpleenroll" in text_of(client.get(proceed.url))
    assert confirm(client, proceed.url).url == "/labels/"
    page = client.get("/labels/")
    assert "/.well-known/est/plant/simpleenroll" in text_of(page)
    label = portal.stores.records.find("label", name="plant")
    assert label is not None
    again = client.post_form("/labels/new/", {"name": "plant", "profile": "tls-server"})
    assert "a label of this name already" in text_of(again)

    proceed = client.post_form_from(page, f"/labels/{label.id}/remove/", {})
    assert "answers 404" in text_of(client.get(proceed.url))
    assert confirm(client, proceed.url).url == "/labels/"
    assert portal.stores.records.find("label", name="plant") is None


@pytest.mark.parametrize("name", ["simpleenroll", "a/b", ""])
def test_a_label_that_paths_cannot_hold_is_refused(client: PortalClient, name: str) -> None:
    page = client.post_form("/labels/new/", {"name": name, "profile": "tls-server"})
    assert 'id="id_name_error"' in page.content.decode()


@pytest.mark.parametrize("role", [OFFICER, AUDITOR])
def test_who_may_not_change_profiles_reads_them(sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    assert client.get("/profiles/1/").status_code == 200
    assert client.get("/profiles/1/edit/").status_code == 403
    assert "New profile" not in text_of(client.get("/profiles/"))


def test_an_administrator_may_edit_profiles(sign_in: SignIn) -> None:
    assert sign_in(ADMINISTRATOR).get("/profiles/1/edit/").status_code == 200


def rows(portal: Portal) -> tuple[int, int, int]:
    from certuary.store.models import Certificate, Enrolment

    return Certificate.objects.count(), Enrolment.objects.count(), len(portal.audit_kinds())
