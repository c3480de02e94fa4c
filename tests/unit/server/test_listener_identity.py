"""The listener's certificate: a problem with its files passes by itself."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certuary.core.certificate import KEY_TYPES, build_root, sign_plan
from certuary.server.config import Settings
from certuary.server.listener_identity import IdentityFile
from tests.unit.services.builders import NOW, snapshot


def test_files_that_could_not_be_read_are_tried_again_without_another_signal(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    signer = KEY_TYPES["ec-p256"].generate()
    issued = sign_plan(build_root(signer.public_key(), organization="Test", serial=1, now=NOW), signer)
    pem = issued.certificate.public_bytes(Encoding.PEM)
    certificate.write_bytes(pem)
    key.write_bytes(signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    settings = Settings(home=tmp_path, tls_certificate_file=str(certificate), tls_key_file=str(key))
    identity = IdentityFile(settings, cast(Any, None), snapshot)
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
