"""The one place that names which stores and key stores stand behind the ports.

Nothing of Django is imported before a function here is called: the supervisor and `certuary --help` do without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certuary.core.certificate import SigningKey
from certuary.core.mark import Marker
from certuary.errors import ConfigError, KeyStoreDown, NotFound
from certuary.keystore.file import FileKeyStore, UnlockedKeys
from certuary.server.config import Settings
from certuary.services.ports import (
    CertificateReader,
    ConfigFeed,
    CrlStore,
    KeyStore,
    LeaseStore,
    RecordStore,
)
from certuary.services.trust import MARK_NAME, MARK_ROLE, read_trust

if TYPE_CHECKING:
    from certuary.services.load_snapshot import SnapshotLoader
    from certuary.store.writer import GroupCommitWriter

EST_WORKER_ROLES = ("issuing", "tls", "secret", "mark")
STATUS_ROLES = ("issuing", "tls", "mark", "checkpoint")
"""The status process signs CRLs, which relying parties verify with the issuer's own key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    records: RecordStore
    feed: ConfigFeed
    reader: CertificateReader
    crls: CrlStore
    leases: LeaseStore
    new_writer: Callable[[], GroupCommitWriter]
    close_connection: Callable[[], None]


def open_store(settings: Settings, *, must_be_current: bool = True) -> Stores:
    """Point this process at the configured database; `ConfigError` when its tables are not those of this release."""
    from certuary.store import setup

    setup.configure(settings.database)
    if must_be_current:
        check_schema()

    from certuary.store.certificates import DjangoCertificateReader
    from certuary.store.crls import DjangoCrlStore
    from certuary.store.feed import DjangoConfigFeed
    from certuary.store.leases import DjangoLeaseStore
    from certuary.store.records import DjangoRecordStore
    from certuary.store.writer import GroupCommitWriter

    return Stores(
        records=DjangoRecordStore(),
        feed=DjangoConfigFeed(),
        reader=DjangoCertificateReader(),
        crls=DjangoCrlStore(),
        leases=DjangoLeaseStore(),
        new_writer=GroupCommitWriter,
        close_connection=setup.close_connection,
    )


def check_schema() -> None:
    """`ConfigError` when the tables are not those of this release, `DatabaseDown` when they cannot be seen."""
    from certuary.store import setup

    if not setup.is_migrated():
        raise ConfigError(
            "the database is not set up for this release; run: certuary init", rule="database-schema"
        )


def preload_store() -> None:
    """Import what `open_store` will need, so that a process does it while it waits for something else."""
    from certuary.store import setup

    assert setup


def unlock_keys(settings: Settings) -> UnlockedKeys:
    return FileKeyStore.unlock(settings.keys_dir)


def open_key_store(settings: Settings, role_keys: Mapping[str, bytes]) -> KeyStore:
    return FileKeyStore.from_role_keys(settings.keys_dir, role_keys)


def snapshot_loader(settings: Settings, feed: ConfigFeed, keys: KeyStore) -> SnapshotLoader:
    from certuary.services.load_snapshot import SnapshotLoader

    return SnapshotLoader(feed, signer_loader(keys), settings.public_status_url)


def home_marker(settings: Settings, keys: UnlockedKeys) -> Marker:
    """For a command: the marks of the installation that the home belongs to."""
    return load_marker(keys.store((MARK_ROLE,)), read_trust(settings.keys_dir).instance)


def load_marker(keys: KeyStore, instance: str) -> Marker:
    """What makes and checks the marks of that installation; the keys hold the role "mark"."""
    return Marker(keys.load_secret(MARK_NAME, role=MARK_ROLE), instance)


def signer_loader(keys: KeyStore) -> Callable[[str], SigningKey | None]:
    """The issuing key of a name, None where this process does not hold one."""

    def load(key_name: str) -> SigningKey | None:
        try:
            return keys.load_key(key_name, role="issuing")
        except (NotFound, KeyStoreDown):
            return None

    return load
