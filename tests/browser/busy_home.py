"""A home as after a year of work: `python -m tests.browser.busy_home DIRECTORY` makes it, in a process of its own.

(While Playwright runs, its event loop has the thread, and Django's queries would be refused.)
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.profile import Profile
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER, Actor
from certuary.services.lint_profile import lint_profile
from certuary.services.manage_group import add_group, add_label
from certuary.services.manage_user import NewUser, add_user
from certuary.services.passwords import HashedPassword
from certuary.services.register_application import (
    Grants,
    NewApplication,
    register_application,
    set_application_enabled,
)
from certuary.services.revoke import Revocation, revoke
from certuary.services.save_profile import save_profile
from tests.browser.browsing import ROOT
from tests.est_session import EstSession
from tests.request_maker import usual_request
from tests.running_server import RunningServer
from tests.wire.cli_process import new_shell
from tests.wire.portal.certificates import add_certificate
from tests.wire.portal.pages import PASSWORD, Portal, unlock

LONG_NAME: Final = "Gateways of the northern distribution network - substations 1-48"
LONG_WORD: Final = "Rueckhaltebeckenueberwachungsanlagensteuerungsgeraeteverwaltung1"
BROKEN: Final = "Turnstiles"
GROUPS: Final = ("Line 4", "Building access", "Network gear", LONG_NAME)
KINDS: Final = {
    "plc": ("PLCs of line {}", "10.20.{}.0/24", "GRP_002"),
    "reader": ("Badge readers floor {}", "10.30.{}.0/24", "GRP_003"),
    "switch": ("Switches rack {}", "10.40.{}.0/24", "GRP_004"),
    "web": ("Web front end {}", "2001:db8:{}::/64", "GRP_001"),
}
PEOPLE: Final = (
    ("alice", CA_ADMINISTRATOR, ()),
    ("m.okonkwo", ADMINISTRATOR, ("GRP_002", "GRP_003")),
    ("j.lindqvist", OFFICER, ("GRP_002",)),
    ("auditor", AUDITOR, ("GRP_001", "GRP_002", "GRP_003", "GRP_004")),
    ("a-name-of-sixty-four-letters-which-is-as-long-as-any-name-can-be", OFFICER, ("GRP_003",)),
)


def main() -> int:
    make(Path(sys.argv[1]))
    return 0


def made(directory: Path) -> Path:
    """The home, once another process has made it."""
    command = [sys.executable, "-m", "tests.browser.busy_home", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=180)
    return directory / "home"


def make(directory: Path) -> None:
    shell = new_shell(directory)
    (directory / "admin-password").write_text(PASSWORD + "\n")
    done = shell.run("init", "--hostname", "localhost", "--organization", "Acme")
    assert done.code == 0, done.stderr
    portal = Portal.open(shell.home, unlock(shell.home))
    actor, deps = portal.changes_as()
    for group in GROUPS:
        add_group(actor, group, deps)
    for name, role, groups in PEOPLE:
        add_user(
            actor,
            NewUser(name=name, role=role, groups=groups, password=PASSWORD),
            portal.deps.passwords,
            deps,
        )
    _add_profiles(actor, deps)
    numbers = _add_applications(portal, actor, deps)
    _add_certificates(portal, numbers)
    _add_tokens(portal)
    _alter(portal)


def _lint(profile: Profile) -> tuple[str, ...]:
    return lint_profile(profile, now=datetime.now(UTC))


def _add_profiles(actor: Actor, deps: ChangeDeps) -> None:
    text = (ROOT / "src/certuary/profiles/tls-device.toml").read_text()
    for name, description, lifetime in (
        ("short-lived", "Two days, renewed by the device itself", "2d"),
        (
            "a-profile-whose-name-is-as-long-as-any-name-of-a-profile-can-be",
            "A year, for what nobody visits",
            "365d",
        ),
    ):
        toml = re.sub(r"(?m)^name = .*", f'name = "{name}"', text)
        toml = re.sub(r"(?m)^description = .*", f'description = "{description}"', toml)
        toml = re.sub(r"(?m)^lifetime = .*", f'lifetime = "{lifetime}"', toml)
        save_profile(actor, toml.replace("est_default = true", "est_default = false"), _lint, deps)
    longer = re.sub(r"(?m)^lifetime = .*", 'lifetime = "180d"', text)
    save_profile(actor, longer, _lint, deps)
    for label, profile in (("short", "short-lived"), ("servers", "tls-server"), ("gear", "network-gear")):
        add_label(actor, label, profile, deps)


def _add_applications(portal: Portal, actor: Actor, deps: ChangeDeps) -> list[int]:
    """With one hash for all of them: nobody needs their passwords."""
    hashed = HashedPassword(portal.deps.passwords.hash(PASSWORD))
    now = datetime.now(UTC)

    def add(name: str, username: str, grants: Grants) -> int:
        new = NewApplication(name=name, username=username, password=hashed, grants=grants)
        return int(register_application(actor, new, portal.deps.passwords, deps).record.id)

    numbers = [
        add(
            title.format(number),
            f"{kind}-{number}",
            Grants(
                networks=(network.format(number),),
                group=group,
                subject_rule=f"CN={kind}{number}-*",
                labels=("short",) if number % 5 == 0 else None,
                expires_at=now + timedelta(days=20 * number) if number % 3 == 0 else None,
            ),
        )
        for kind, (title, network, group) in KINDS.items()
        for number in range(1, 15)
    ]
    many = tuple(f"10.{number}.0.0/16" for number in range(60, 80))
    numbers.append(
        add(
            LONG_NAME,
            LONG_WORD,
            Grants(
                networks=many,
                profiles=("tls-server", "tls-client"),
                labels=("servers", "gear"),
                subject_rule="CN=gw-*",
                group="GRP_005",
            ),
        )
    )
    numbers.append(add(LONG_WORD, "anything", Grants()))
    numbers.append(
        add("Ended project", "ended", Grants(networks=("192.0.2.0/24",), expires_at=now - timedelta(days=3)))
    )
    numbers.append(
        add(BROKEN, "turnstiles", Grants(networks=("10.50.0.0/24",), subject_rule="CN=turnstile-*"))
    )
    here = Grants(networks=("127.0.0.0/8", "::1/128"), subject_rule="CN=bench-*")
    numbers.append(add("Test bench", "bench", here))
    set_application_enabled(actor, "Switches rack 9", enabled=False, deps=deps)
    return numbers


def _add_certificates(portal: Portal, numbers: list[int]) -> None:
    """Over thirty days, with ends near and far, two of them revoked and one with every kind of name."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number, (ago, days) in zip(count(), _times(), strict=False):
        row = add_certificate(
            portal,
            numbers[number % len(numbers)],
            common_name=f"device-{number:04d}.plant.example",
            names=(x509.DNSName(f"device-{number:04d}.plant.example"),),
            days=days,
            profile_version_id=1 + number % 4,
            issued_at=now - timedelta(days=ago, minutes=number),
        )
        if number in (3, 17):
            why = Revocation(
                authority_id=2, serial=row.serial, reason="keyCompromise", actor_kind="user", actor="alice"
            )
            revoke(why, portal.stores.records, portal.deps.clock, portal.deps.marker)
    names = [
        x509.DNSName(f"{place}.of-a-rather-long-host-name.{LONG_WORD.lower()[:60]}.example")
        for place in range(30)
    ]
    add_certificate(portal, numbers[0], common_name=LONG_NAME, names=tuple(names), key="rsa-2048")
    add_certificate(
        portal, numbers[0], common_name='<script>alert("1")</script> \u202eexe.txt', key="ed25519"
    )


def _add_tokens(portal: Portal) -> None:
    """Alice's, for scripts that this home does not run."""
    from certuary.portal.api.tokens import SCOPES, make_token

    actor, deps = portal.changes_as("alice")
    user = portal.stores.records.find("user", name="alice")
    assert user is not None
    for name, scopes, days in (
        ("inventory on ops-1", ("certificates:read",), 90),
        (LONG_NAME, tuple(SCOPES), 1),
    ):
        make_token(actor, user, name, scopes, days, deps)


def _times() -> Iterator[tuple[int, int]]:
    """(days ago, days left)"""
    for ago in range(29, -1, -1):
        for place in range(1 + (ago * 7) % 9):
            yield ago, (3, 12, 25, 44, 58, 61, 77, 83, 88)[(ago + place) % 9]


def _alter(portal: Portal) -> None:
    """What somebody did who can write to the database."""
    portal.execute("UPDATE applications SET networks = '[]' WHERE name = %s", BROKEN)
    portal.execute(
        "UPDATE certificates SET subject = 'CN=somebody-else' WHERE subject LIKE 'CN=device-0007%%'"
    )


def enrol_devices(server: RunningServer) -> str:
    """Devices come to the running server: some get certificates, some are refused. The id of the last refusal."""
    names = ("bench-1", "bench-2", "elsewhere-1", "bench-3", "bench-4", "elsewhere-2")
    request_id = ""
    for username, secret in (("plc-1", PASSWORD), ("nobody", "x"), ("bench", PASSWORD)):
        with EstSession(server, credentials=(username, secret)) as session:
            for name in names:
                answer = session.enrol(
                    usual_request(ec.generate_private_key(ec.SECP256R1()), common_name=name)
                )
                if answer.status == 403:
                    request_id = answer.headers["X-Request-Id"]
    assert request_id, "nobody was refused"
    return request_id


if __name__ == "__main__":
    sys.exit(main())
