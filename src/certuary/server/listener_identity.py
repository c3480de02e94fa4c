"""Which certificate EST and the portal show: our own, kept up to date by the jobs, or the operator's files."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from certuary.errors import CertuaryError, ConfigError
from certuary.server.config import Settings
from certuary.server.tls import build_context, read_operator_files
from certuary.services.listener_certificate import ListenerIdentity, listener_path, load_listener
from certuary.services.ports import KeyStore

_log = structlog.get_logger("certuary.tls")


class IdentityFile:
    """Holds the TLS context, and replaces it when the file or the `anchors` of client certificates change. Where those
    are None, no client certificate is asked for.

    Our own file is watched. The operator's are read again on SIGHUP only: two files cannot be replaced at once, so
    the operator says when both are there.
    """

    def __init__(
        self, settings: Settings, keys: KeyStore, anchors: Callable[[], Sequence[bytes] | None]
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._anchors = anchors
        self._path: Path | None = None if settings.tls_certificate_file else listener_path(settings.home)
        self.on_change: Callable[[ssl.SSLContext], None] = lambda context: None
        self.problem: str | None = None
        self._mark = self._current_mark()
        self.context = self._build()

    def refresh(self) -> None:
        """Look whether anything changed; cheap when nothing did."""
        mark = self._current_mark()
        # A problem may pass by itself: files that were read while they were being replaced, too many open files.
        if mark != self._mark or self.problem is not None:
            self._mark = mark
            self.read_again()

    def read_again(self) -> None:
        """Read the files now; what cannot be used leaves the last context in force."""
        try:
            self.context = self._build()
        except CertuaryError as problem:
            text = f"the listener's new certificate cannot be used: {problem}"
            if text != self.problem:
                _log.error(
                    "the listener's certificate cannot be read; the last one stays", problem=str(problem)
                )
            self.problem = text
            return
        self.problem = None
        self.on_change(self.context)
        _log.info("listener certificate read")

    def _current_mark(self) -> tuple[object, ...]:
        anchors = tuple(self._anchors() or ())
        if self._path is None:
            return anchors
        try:
            status = self._path.stat()
        except OSError:
            return (*anchors, None)
        return (*anchors, status.st_mtime_ns, status.st_ino)

    def _build(self) -> ssl.SSLContext:
        return build_context(self._load(), self._anchors())

    def _load(self) -> ListenerIdentity:
        if self._path is None:
            return read_operator_files(
                Path(self._settings.tls_certificate_file), Path(self._settings.tls_key_file)
            )
        identity = load_listener(self._path, self._keys)
        if identity is None:
            raise ConfigError(f"{self._path} is missing; run: certuary init", rule="tls-certificate")
        return identity
