"""The listener's certificate: a problem with its files passes by itself."""

from __future__ import annotations

import resource
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certuary.core.certificate import KEY_TYPES, build_root, sign_plan
from certuary.errors import ConfigError
from certuary.server.config import Settings
from certuary.server.listener_identity import IdentityFile
from tests.unit.services.builders import NOW


def test_files_that_could_not_be_read_are_tried_again_without_another_signal(tmp_path: Path) -> None:
    settings = operator_files(tmp_path)
    certificate = Path(settings.tls_certificate_file)
    pem = certificate.read_bytes()
    identity = IdentityFile(settings, cast(Any, None), lambda: ())
    changes: list[ssl.SSLContext] = []
    identity.on_change = changes.append

    certificate.write_bytes(b"")  # SIGHUP comes while the file is being replaced
    identity.read_again()
    assert identity.problem is not None
    assert not changes

    certificate.write_bytes(pem)
    identity.refresh()
    assert identity.problem is None
    assert len(changes) == 1
    identity.refresh()
    assert len(changes) == 1


@pytest.mark.usefixtures("capsys")  # pytest captures the log in a file otherwise, which may not grow either
def test_a_machine_at_its_limits_keeps_the_last_certificate_and_mends_by_itself(tmp_path: Path) -> None:
    identity = IdentityFile(operator_files(tmp_path), cast(Any, None), lambda: None)
    before = identity.context
    with no_file_may_grow():
        identity.read_again()
    assert identity.problem is not None
    assert "cannot be handed to OpenSSL: File too large" in identity.problem
    assert identity.context is before
    identity.refresh()
    assert identity.problem is None
    assert identity.context is not before


def test_a_start_at_the_limits_says_what_is_wrong(tmp_path: Path) -> None:
    settings = operator_files(tmp_path)
    with no_file_may_grow(), pytest.raises(ConfigError, match="cannot be handed to OpenSSL"):
        IdentityFile(settings, cast(Any, None), lambda: None)


@pytest.mark.parametrize(
    ("anchors", "asked"), [(None, ssl.CERT_NONE), ((), ssl.CERT_OPTIONAL)], ids=["portal", "est"]
)
def test_clients_are_asked_for_a_certificate_where_there_may_be_anchors(
    tmp_path: Path, anchors: tuple[bytes, ...] | None, asked: ssl.VerifyMode
) -> None:
    identity = IdentityFile(operator_files(tmp_path), cast(Any, None), lambda: anchors)
    assert identity.context.verify_mode is asked


def operator_files(directory: Path) -> Settings:
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    signer = KEY_TYPES["ec-p256"].generate()
    issued = sign_plan(build_root(signer.public_key(), organization="Test", serial=1, now=NOW), signer)
    key_pem = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(key_pem)
    key.chmod(0o600)
    return Settings(home=directory, tls_certificate_file=str(certificate), tls_key_file=str(key))


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
