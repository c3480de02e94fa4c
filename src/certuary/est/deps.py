"""What the EST endpoint is wired with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from certuary.services.certificate_directory import CertificateDirectory
from certuary.services.credential_cache import CredentialCache
from certuary.services.enrol import EnrolDeps
from certuary.services.guarded_clock import GuardedClock
from certuary.services.password_checker import PasswordChecker
from certuary.services.password_quota import PasswordQuota
from certuary.services.ports import BatchItem
from certuary.services.snapshot import Snapshot


class AsyncWriter(Protocol):
    """The issuance writer as an event loop sees it: the future is done once the item is committed."""

    def submit_async(self, item: BatchItem, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EstDeps:
    """`blocking` runs database reads and slow signatures; `steady` is a monotonic clock in seconds."""

    snapshot: Callable[[], Snapshot]
    clock: GuardedClock
    steady: Callable[[], float]
    writer: AsyncWriter
    directory: CertificateDirectory
    credentials: CredentialCache
    quota: PasswordQuota
    checker: PasswordChecker
    enrol: EnrolDeps
    blocking: Executor
    random_octets: Callable[[int], bytes]
    count: Callable[[str], None]
