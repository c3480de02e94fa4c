"""A client certificate in the browser: ordered, signed, saved once, and opened by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.browser.browsing import Visitor


def test_an_application_s_client_certificate_is_saved_and_opens_with_its_passphrase(
    admin: Visitor, tmp_path: Path
) -> None:
    admin.open("/applications/")
    admin.follow("quickstart")
    admin.press("Client certificate")
    admin.page.get_by_label("Profile", exact=True).select_option("tls-client")
    admin.press("Proceed")
    admin.look("client-certificate-confirm")
    admin.sign()
    admin.look("client-certificate-issued")
    passphrase = admin.page.locator(".secret").inner_text()
    with admin.page.expect_download() as download:
        admin.press("Save as quickstart.p12")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "quickstart.p12"
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", str(path), "-noout", "-passin", "env:PASSPHRASE"],
        env={"PATH": "/usr/bin:/bin", "PASSPHRASE": passphrase},
        check=False,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    admin.press("Continue")
    assert "Speaks for" in admin.text()
