"""What we keep of others is as they published it, and each package has its licence beside it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = (
    ROOT / "src" / "certuary" / "portal" / "static" / "portal" / "vendor",
    ROOT / "tests" / "browser" / "vendor",
)
SUMS = "SHA256SUMS"

by_place = pytest.mark.parametrize("place", PLACES, ids=("portal", "browser"))


@by_place
def test_the_files_of_others_are_unchanged(place: Path) -> None:
    """`sha256sum --check` reads the list too. A new file enters it once it was compared with the npm package."""
    found = {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name != SUMS
    }
    if os.environ.get("WRITE_DOCS"):
        lines = [f"{digest}  {name}\n" for name, digest in found.items()]
        (place / SUMS).write_text("".join(lines))
    listed = {
        name: digest
        for digest, name in (line.split("  ", 1) for line in (place / SUMS).read_text().splitlines())
    }
    assert found == listed


@by_place
def test_every_package_that_we_keep_has_its_licence_beside_it(place: Path) -> None:
    without = [one.name for one in place.iterdir() if one.is_dir() and not (one / "LICENSE").exists()]
    assert not without
