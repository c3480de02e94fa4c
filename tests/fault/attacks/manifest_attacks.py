"""Attacks on the manifest, which says what the newest version of every sealed record is."""

from __future__ import annotations

from tests.fault.attacks.attack import Attack
from tests.fault.attacks.scene import Ask

_QUICKSTART = Ask(username="quickstart")
_PART_BROKEN = "this part of the manifest was altered or deleted"
_WAY_OUT = "put the row back, or run: certuary seal accept-rollback"
_NO_HEAD = f"the database holds no manifest; {_WAY_OUT}"
_NOT_OURS = f"the manifest was not signed by this installation; {_WAY_OUT}"
SET_BACK = (
    "the records were set back: their manifest is number N, and this node has seen number N; restore the newer"
    " database, or, if a backup was restored on purpose, run: certuary seal accept-rollback"
)

MANIFEST = (
    Attack(
        name="The manifest's head is deleted",
        sql="DELETE FROM manifest;",
        tables=("manifest",),
        found={"manifest head": _NO_HEAD},
        asks={_QUICKSTART: (200, 503)},
    ),
    Attack(
        name="The manifest's head is edited",
        sql='UPDATE manifest SET body = replace(body, \'"accepted":{}\', \'"accepted":{"by":"admin"}\');',
        tables=("manifest",),
        found={"manifest head": _NOT_OURS},
        asks={_QUICKSTART: (200, 503)},
    ),
    Attack(
        name="The manifest's signature is emptied",
        sql="UPDATE manifest SET signature = (SELECT substr(signature, 1, 0) FROM manifest);",
        tables=("manifest",),
        found={"manifest head": _NOT_OURS},
        asks={_QUICKSTART: (200, 503)},
    ),
    Attack(
        name="The manifest's head is replaced by an older one that was validly signed",
        sql="DELETE FROM manifest; INSERT INTO manifest SELECT * FROM older_manifest;",
        tables=("manifest",),
        found={"manifest head": SET_BACK},
        asks={_QUICKSTART: (200, 503)},
    ),
    Attack(
        name="Manifest and applications are set back together, both validly signed",
        sql="DELETE FROM manifest; INSERT INTO manifest SELECT * FROM older_manifest;"
        " DELETE FROM manifest_parts; INSERT INTO manifest_parts SELECT * FROM older_manifest_parts;"
        " DELETE FROM applications; INSERT INTO applications SELECT * FROM older_applications;",
        tables=("manifest", "manifest_parts", "applications"),
        found={"manifest head": SET_BACK},
        asks={_QUICKSTART: (200, 503), Ask(username="rotated", password_of="old rotated"): (401, 503)},
    ),
    Attack(
        name="A part of the manifest is altered",
        sql="UPDATE manifest_parts SET body = replace(body, 'narrow', 'wide') WHERE kind = 'application';",
        tables=("manifest_parts",),
        found={"manifest application/0": _PART_BROKEN},
        asks={_QUICKSTART: (200, 401)},
    ),
    Attack(
        name="A part of the manifest is replaced by an older one that was validly signed",
        sql="DELETE FROM manifest_parts WHERE kind = 'application';"
        " INSERT INTO manifest_parts SELECT * FROM older_manifest_parts WHERE kind = 'application';",
        tables=("manifest_parts",),
        found={"manifest application/0": _PART_BROKEN},
        asks={_QUICKSTART: (200, 401)},
    ),
    Attack(
        name="A part of the manifest is deleted",
        sql="DELETE FROM manifest_parts WHERE kind = 'profile';",
        tables=("manifest_parts",),
        found={"manifest profile/0": _PART_BROKEN},
        asks={_QUICKSTART: (200, 503)},
    ),
)
