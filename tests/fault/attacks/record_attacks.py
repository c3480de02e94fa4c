"""Attacks on sealed records, each on a row of its own table, by statements that both databases take."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fault.attacks.attack import CHANGED, Attack
from tests.fault.attacks.scene import KEY, Ask

MISSING = "its row is gone, deleted or marked as removed, and nobody entitled signed that"
UNLISTED = "nobody signed it: the manifest does not list it"
_APPLICATION_COLUMNS = (
    "revision, version, seal, created_at, removed_at, password_hash, group_id, networks, profile_ids, labels,"
    " subject_rule, enabled, expires_at"
)


def _own_certificate() -> str:
    """Names anna, and is the attacker's."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "anna")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=365))
    return base64.b64encode(builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)).decode()


OWN_CERTIFICATE = _own_certificate()


def _on_application(name: str, change: str) -> str:
    return f"UPDATE applications SET {change} WHERE name = '{name}';"


APPLICATIONS = (
    Attack(
        name="An application's password hash is swapped for one whose password the attacker knows",
        sql=_on_application(
            "narrow", "password_hash = (SELECT password_hash FROM applications WHERE name = 'quickstart')"
        ),
        tables=("applications",),
        found={"application narrow": f"password_hash: {CHANGED}"},
        asks={
            Ask(username="narrow", password_of="quickstart", common_name="narrow-1"): (401, 401),
            Ask(username="narrow", common_name="narrow-1"): (200, 401),
        },
    ),
    Attack(
        name="An application's network list is widened",
        sql=_on_application("far", """networks = '["127.0.0.0/8", "::1/128"]'"""),
        tables=("applications",),
        found={"application far": f"networks: {CHANGED}"},
        asks={Ask(username="far"): (401, 401)},
    ),
    Attack(
        name="An application's network list is emptied",
        sql=_on_application("far", "networks = '[]'"),
        tables=("applications",),
        found={"application far": f"networks: {CHANGED}"},
        asks={Ask(username="far"): (401, 401)},
    ),
    Attack(
        name="An application's subject rule is removed",
        sql=_on_application("narrow", "subject_rule = ''"),
        tables=("applications",),
        found={"application narrow": f"subject_rule: {CHANGED}"},
        asks={Ask(username="narrow", common_name="wide"): (403, 401)},
    ),
    Attack(
        name="An application's expiry is removed",
        sql=_on_application("expired", "expires_at = NULL"),
        tables=("applications",),
        found={"application expired": f"expires_at: {CHANGED}"},
        asks={Ask(username="expired"): (401, 401)},
    ),
    Attack(
        name="A disabled application is enabled",
        sql=_on_application("off", "enabled = true"),
        tables=("applications",),
        found={"application off": f"enabled: {CHANGED}"},
        asks={Ask(username="off"): (401, 401)},
    ),
    Attack(
        name="An application is put into another group",
        sql=_on_application("narrow", "group_id = (SELECT id FROM groups WHERE name = 'second')"),
        tables=("applications",),
        found={"application narrow": f"group_id: {CHANGED}"},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="An application is given another label and every profile",
        sql=_on_application("narrow", """labels = '["plant"]', profile_ids = '[1, 2, 3, 4]'"""),
        tables=("applications",),
        found={"application narrow": f"profile_ids, labels: {CHANGED}"},
        asks={Ask(username="narrow", common_name="narrow-1", label="plant"): (403, 401)},
    ),
    Attack(
        name="An application is inserted with a copied seal",
        sql=f"INSERT INTO applications (name, username, {_APPLICATION_COLUMNS})"
        f" SELECT 'copied', 'copied', {_APPLICATION_COLUMNS} FROM applications WHERE name = 'quickstart';",
        tables=("applications",),
        found={"application copied": UNLISTED},
        asks={Ask(username="copied", password_of="quickstart"): (401, 401)},
    ),
    Attack(
        name="An application's row is replayed as it was before its password was rotated",
        sql="DELETE FROM applications WHERE name = 'rotated';"
        " INSERT INTO applications SELECT * FROM older_applications WHERE name = 'rotated';",
        tables=("applications",),
        found={
            "application rotated": "an older row was put back: it is version 1, and version 2 is the newest"
            " that was signed"
        },
        asks={
            Ask(username="rotated", password_of="old rotated"): (401, 401),
            Ask(username="rotated"): (200, 401),
        },
    ),
    Attack(
        name="An older row is replayed under the newest version number",
        sql="DELETE FROM applications WHERE name = 'rotated';"
        " INSERT INTO applications SELECT * FROM older_applications WHERE name = 'rotated';"
        " UPDATE applications SET version = 2 WHERE name = 'rotated';",
        tables=("applications",),
        found={"application rotated": "its seal is not the one that 'admin' signed on DATE"},
        asks={Ask(username="rotated", password_of="old rotated"): (401, 401)},
    ),
    Attack(
        name="An application's row is deleted",
        sql="DELETE FROM applications WHERE name = 'narrow';",
        tables=("applications",),
        found={"application narrow": MISSING},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="An application is marked as removed",
        sql=_on_application("narrow", "removed_at = created_at"),
        tables=("applications",),
        found={"application narrow": MISSING},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="A removed application is brought back",
        sql=_on_application("gone", "removed_at = NULL"),
        tables=("applications",),
        found={"application gone": UNLISTED},
        asks={Ask(username="gone"): (401, 401)},
    ),
    Attack(
        name="Two applications' rows are swapped",
        sql="UPDATE applications SET id = -1 WHERE name = 'narrow';"
        " UPDATE applications SET id = (SELECT id FROM copy_applications WHERE name = 'narrow')"
        " WHERE name = 'far';"
        " UPDATE applications SET id = (SELECT id FROM copy_applications WHERE name = 'far')"
        " WHERE name = 'narrow';",
        tables=("applications",),
        found={
            "application narrow": "its seal is not the one that 'admin' signed on DATE",
            "application far": "its seal is not the one that 'admin' signed on DATE",
        },
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401), Ask(username="far"): (401, 401)},
    ),
    Attack(
        name="Two applications' password hashes are swapped",
        sql="UPDATE applications SET password_hash = (SELECT password_hash FROM copy_applications other"
        " WHERE other.name = CASE applications.name WHEN 'narrow' THEN 'quickstart' ELSE 'narrow' END)"
        " WHERE name IN ('narrow', 'quickstart');",
        tables=("applications",),
        found={
            "application narrow": f"password_hash: {CHANGED}",
            "application quickstart": f"password_hash: {CHANGED}",
        },
        asks={
            Ask(username="narrow", password_of="quickstart", common_name="narrow-1"): (401, 401),
            Ask(username="quickstart", password_of="narrow"): (401, 401),
        },
    ),
    Attack(
        name="An application's seal is removed",
        sql=_on_application("narrow", "seal = ''"),
        tables=("applications",),
        found={"application narrow": "its seal was removed"},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="An application is given another's seal",
        sql=_on_application("off", "seal = (SELECT seal FROM copy_applications WHERE name = 'quickstart')"),
        tables=("applications",),
        found={"application off": f"created_at, name, username, password_hash, networks, enabled: {CHANGED}"},
        asks={Ask(username="off"): (401, 401)},
    ),
    Attack(
        name="An application's seal is made unreadable",
        sql=_on_application("narrow", "seal = '" + "[" * 100_000 + "'"),
        tables=("applications",),
        found={"application narrow": "its seal cannot be read"},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="An application's version number is raised",
        sql=_on_application("narrow", "version = 9223372036854775807"),
        tables=("applications",),
        found={"application narrow": "its version 9223372036854775807 was never signed; 1 was"},
        asks={Ask(username="narrow", common_name="narrow-1"): (200, 401)},
    ),
    Attack(
        name="An application is renamed to another that was removed",
        sql=_on_application("narrow", "name = 'gone', username = 'gone'"),
        tables=("applications",),
        found={"application narrow": f"name, username: {CHANGED}"},
        asks={Ask(username="gone", password_of="narrow", common_name="narrow-1"): (401, 401)},
    ),
)

OTHER_RECORDS = (
    Attack(
        name="A profile is loosened: the text of its current version",
        sql="UPDATE profile_versions SET toml = replace(toml, 'lifetime = \"90d\"', 'lifetime = \"3650d\"')"
        " WHERE profile_id = (SELECT id FROM profiles WHERE name = 'tls-device');",
        tables=("profile_versions",),
        found={"profile tls-device": f"toml: {CHANGED}"},
        asks={Ask(username="quickstart"): (200, 503), Ask(username="plant", label="plant"): (200, 404)},
    ),
    Attack(
        name="A profile is loosened: a version is added and made the current one",
        sql="INSERT INTO profile_versions (profile_id, number, toml, created_at, created_by)"
        " SELECT profile_id, 99, replace(toml, 'lifetime = \"90d\"', 'lifetime = \"3650d\"'), created_at, created_by"
        " FROM profile_versions WHERE profile_id = (SELECT id FROM profiles WHERE name = 'tls-device');"
        " UPDATE profiles SET current_version = 99 WHERE name = 'tls-device';",
        tables=("profiles", "profile_versions"),
        found={"profile tls-device": f"current_version, toml, version_id: {CHANGED}"},
        asks={Ask(username="quickstart"): (200, 503)},
    ),
    Attack(
        name="A label is pointed to another profile",
        sql="UPDATE labels SET profile_id = (SELECT id FROM profiles WHERE name = 'tls-server')"
        " WHERE name = 'plant';",
        tables=("labels",),
        found={"label plant": f"profile_id: {CHANGED}"},
        asks={Ask(username="plant", label="plant"): (200, 404)},
    ),
    Attack(
        name="Two groups' codes are swapped",
        sql="UPDATE groups SET code = 'GRP_X' WHERE code = 'GRP_001';"
        " UPDATE groups SET code = 'GRP_001' WHERE code = 'GRP_002';"
        " UPDATE groups SET code = 'GRP_002' WHERE code = 'GRP_X';",
        tables=("groups",),
        found={"group GRP_001": f"code: {CHANGED}", "group GRP_002": f"code: {CHANGED}"},
        asks={Ask(username="quickstart"): (200, 503)},
    ),
    Attack(
        name="An authority is given another key",
        sql="UPDATE authorities SET key_name = 'root' WHERE kind = 'issuing';",
        tables=("authorities",),
        found={"authority issuing": f"key_name: {CHANGED}"},
        asks={Ask(username="quickstart"): (200, 503)},
    ),
    Attack(
        name="An authority's certificate is replaced by its issuer's",
        sql="UPDATE authorities SET certificate_der ="
        " (SELECT certificate_der FROM copy_authorities WHERE kind = 'root') WHERE kind = 'issuing';",
        tables=("authorities",),
        found={"authority issuing": f"certificate_der: {CHANGED}"},
        asks={Ask(username="quickstart"): (200, 503)},
    ),
    Attack(
        name="A user's role is raised",
        sql="UPDATE users SET role = 'ca-administrator' WHERE name = 'anna';",
        tables=("users",),
        found={"user anna": f"role: {CHANGED}"},
        refused_user="anna",
    ),
    Attack(
        name="A user's signing certificate is replaced by one that the attacker made",
        sql=f"UPDATE users SET signing_certificate = '{OWN_CERTIFICATE}' WHERE name = 'anna';",
        tables=("users",),
        found={"user anna": f"signing_certificate: {CHANGED}"},
        refused_user="anna",
    ),
    Attack(
        name="An administrator's password hash and key are replaced by another user's",
        sql="UPDATE users SET (password_hash, signing_key, signing_certificate) ="
        " (SELECT password_hash, signing_key, signing_certificate FROM copy_users WHERE name = 'anna')"
        " WHERE name = 'admin';",
        tables=("users",),
        password_of="anna",
        found={"user admin": f"password_hash, signing_key, signing_certificate: {CHANGED}"},
        refused_user="admin",
    ),
    Attack(
        name="The list of a user's compromised keys is cleared",
        sql="UPDATE users SET compromised_keys = NULL WHERE name = 'bert';",
        tables=("users",),
        found={"user bert": f"compromised_keys: {CHANGED}"},
        refused_user="bert",
    ),
    Attack(
        name="A user is inserted with a copied seal",
        sql="INSERT INTO users (name, revision, version, seal, created_at, role, group_ids, password_hash, enabled,"
        " signing_key, signing_certificate)"
        " SELECT 'eve', revision, version, seal, created_at, role, group_ids, password_hash, enabled,"
        " signing_key, signing_certificate FROM users WHERE name = 'anna';",
        tables=("users",),
        found={"user eve": UNLISTED},
        refused_user="eve",
        password_of="anna",
    ),
    Attack(
        name="A user's row is deleted",
        sql="DELETE FROM users WHERE name = 'anna';",
        tables=("users",),
        found={"user anna": MISSING},
    ),
)
