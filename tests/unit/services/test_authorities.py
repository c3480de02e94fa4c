from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certuary.errors import InvalidValue, NotFound
from certuary.keystore.memory import MemoryKeyStore
from certuary.services.authorities import certificate_der, chain_of, export_certificates
from certuary.services.create_authority import create_issuing, create_root
from tests.memory_records import NOW, MemoryRecords


@pytest.fixture(scope="module")
def records() -> MemoryRecords:
    found, keys = MemoryRecords(), MemoryKeyStore()
    root = create_root(keys, organization="Acme", key_type="ec-p256", now=NOW)
    issuing = create_issuing(
        keys, root=root, organization="Acme", key_type="ec-p256", now=NOW, status_url="http://ca.example"
    )
    root_record = found.create("authority", root.record_values(issuer_id=None))
    assert isinstance(root_record.id, int)
    found.create("authority", issuing.record_values(issuer_id=root_record.id))
    return found


def test_a_chain_runs_from_the_authority_to_its_root(records: MemoryRecords) -> None:
    assert [record.values["name"] for record in chain_of(records, "issuing")] == ["issuing", "root"]
    assert [record.values["name"] for record in chain_of(records, "root")] == ["root"]


def test_an_authority_that_is_not_there_has_no_chain(records: MemoryRecords) -> None:
    with pytest.raises(NotFound, match="did you mean 'issuing'"):
        chain_of(records, "issuig")


def test_each_format_holds_the_same_certificates(records: MemoryRecords) -> None:
    ders = tuple(certificate_der(record) for record in chain_of(records, "issuing"))
    loaded = [x509.load_der_x509_certificate(der) for der in ders]
    assert x509.load_pem_x509_certificates(export_certificates(ders, "pem")) == loaded
    assert set(pkcs7.load_der_pkcs7_certificates(export_certificates(ders, "p7b"))) == set(loaded)
    assert export_certificates(ders[:1], "der") == loaded[0].public_bytes(Encoding.DER)


def test_der_of_a_chain_and_unknown_formats_are_refused() -> None:
    with pytest.raises(InvalidValue, match="choose pem or p7b"):
        export_certificates((b"", b""), "der")
    with pytest.raises(InvalidValue, match="pem, der, p7b"):
        export_certificates((b"",), "jks")
