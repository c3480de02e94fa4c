"""The one place that names which stores and key stores stand behind the ports.

Nothing of Django is imported before a function here is called: the supervisor and `certuary --help` do without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import Chain
from certuary.core.certificate import SigningKey
from certuary.core.mark import Marker
from certuary.errors import ConfigError, KeyStoreDown, NotFound
from certuary.keystore.file import FileKeyStore, UnlockedKeys
from certuary.server.config import Settings
from certuary.services.high_water import HighWater, high_water_path
from certuary.services.ports import (
    AuditStreamStore,
    CertificateReader,
    CheckpointStore,
    ConfigFeed,
    CrlStore,
    KeyStore,
    LeaseStore,
    NodeStore,
    OrderStore,
    PropertyChangeStore,
    RecordStore,
)
from certuary.services.record_gate import RecordGate
from certuary.services.trust import MARK_NAME, MARK_ROLE, Trust, read_trust
from certuary.services.trusted_feed import TrustedFeed
from certuary.services.watch_seals import RowWatch

if TYPE_CHECKING:
    from certuary.services.load_snapshot import SnapshotLoader
    from certuary.store.writer import GroupCommitWriter

EST_WORKER_ROLES = ("issuing", "tls", "secret", "mark")
STATUS_ROLES = ("issuing", "tls", "mark", "checkpoint")
"""The status process signs CRLs, which relying parties verify with the issuer's own key."""
PORTAL_ROLES = ("operator", "secret", "mark", "portal", "tls")
"""The portal signs as users do on the command line; it holds no issuing key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    records: RecordStore
    feed: ConfigFeed
    reader: CertificateReader
    crls: CrlStore
    orders: OrderStore
    leases: LeaseStore
    nodes: NodeStore
    rows: RowWatch
    streams: AuditStreamStore
    checkpoints: CheckpointStore
    property_changes: PropertyChangeStore
    new_writer: Callable[[Chain], GroupCommitWriter]
    close_connection: Callable[[], None]


def open_store(
    settings: Settings,
    *,
    chain: Callable[[], Chain] | None = None,
    must_be_current: bool = True,
    django: Mapping[str, Any] | None = None,
) -> Stores:
    """Point this process at the configured database; `ConfigError` when its tables are not those of this release.

    Records, CRLs and property changes write their audit events to `chain`; without it they
    write none, and so change nothing that needs one. `django` are more settings, for who makes tables or serves pages.
    """
    from certuary.store import setup

    setup.configure(settings.database, django)
    if must_be_current:
        check_schema()

    from certuary.store.audit_streams import DjangoAuditStreamStore
    from certuary.store.certificates import DjangoCertificateReader
    from certuary.store.checkpoints import DjangoCheckpointStore
    from certuary.store.crls import DjangoCrlStore
    from certuary.store.event_stream import EventStream, no_chain
    from certuary.store.feed import DjangoConfigFeed
    from certuary.store.leases import DjangoLeaseStore
    from certuary.store.nodes import DjangoNodeStore
    from certuary.store.orders import DjangoOrderStore
    from certuary.store.property_changes import DjangoPropertyChangeStore
    from certuary.store.records import DjangoRecordStore
    from certuary.store.row_watch import DjangoRowWatch
    from certuary.store.writer import GroupCommitWriter

    events = EventStream(chain or no_chain)
    return Stores(
        records=DjangoRecordStore(events),
        feed=DjangoConfigFeed(),
        reader=DjangoCertificateReader(),
        crls=DjangoCrlStore(events),
        orders=DjangoOrderStore(),
        leases=DjangoLeaseStore(),
        nodes=DjangoNodeStore(),
        rows=DjangoRowWatch(),
        streams=DjangoAuditStreamStore(),
        checkpoints=DjangoCheckpointStore(),
        property_changes=DjangoPropertyChangeStore(events),
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


def snapshot_loader(
    settings: Settings, feed: ConfigFeed, trust: Trust, load_signer: Callable[[str], SigningKey | None]
) -> SnapshotLoader:
    from certuary.services.load_snapshot import SnapshotLoader

    high_water = open_high_water(settings)
    trusted = TrustedFeed(feed, RecordGate(trust, high_water), high_water.rise)
    return SnapshotLoader(trusted, load_signer, settings.public_status_url)


def stand_in_snapshots(settings: Settings, feed: ConfigFeed, trust: Trust) -> SnapshotLoader:
    """For a process that issues nothing: each authority has a key that is thrown away in place of its own."""
    stand_in = ec.generate_private_key(ec.SECP256R1())
    return snapshot_loader(settings, feed, trust, lambda key_name: stand_in)


def open_high_water(settings: Settings) -> HighWater:
    return HighWater(high_water_path(settings.home))


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
