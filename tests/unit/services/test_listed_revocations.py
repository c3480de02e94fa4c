"""What a published list says of a certificate, whatever its row does."""

from __future__ import annotations

from datetime import timedelta

from certuary.core.crl import build_crl
from certuary.services.listed_revocations import ListedRevocations
from certuary.services.ports import CrlRow, RevokedEntry
from tests.memory_records import MARKER, NOW, MemoryCrls
from tests.unit.core.issuing import issuing, signing_key


def crl(number: int, *serials: int, marked: bool = True) -> CrlRow:
    revoked = [RevokedEntry(serial=serial, revoked_at=NOW, reason="superseded") for serial in serials]
    der = build_crl(
        issuer=issuing(),
        signer=signing_key("issuing"),
        number=number,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        revoked=revoked,
    )
    return CrlRow(
        authority_id=2,
        number=number,
        covers_revision=number,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        der=der,
        marker=MARKER if marked else None,
    )


def listing(*rows: CrlRow) -> tuple[ListedRevocations, MemoryCrls]:
    crls = MemoryCrls()
    crls.rows.extend(rows)
    return ListedRevocations(crls, MARKER), crls


def test_what_is_on_the_newest_list_is_listed_and_nothing_else() -> None:
    is_listed, _ = listing(crl(1, 5), crl(2, 5, 6))
    assert is_listed(2, 6)
    assert not is_listed(2, 7)
    assert not is_listed(1, 6)


def test_a_newer_list_is_taken_up() -> None:
    is_listed, crls = listing(crl(1))
    assert not is_listed(2, 5)
    crls.rows.append(crl(2, 5))
    assert is_listed(2, 5)


def test_a_list_without_its_mark_is_passed_over() -> None:
    is_listed, _ = listing(crl(1, 5), crl(2, marked=False))
    assert is_listed(2, 5)


def test_an_older_list_that_is_put_back_takes_nothing_off() -> None:
    is_listed, crls = listing(crl(1), crl(2, 5))
    assert is_listed(2, 5)
    crls.rows.pop()
    assert is_listed(2, 5)
