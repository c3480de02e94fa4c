"""The supervisor: binds the ports, unlocks the keys once, starts the processes, restarts what dies, stops in order.

No Django here. The listening sockets are bound once and inherited, so connections made while a worker restarts wait
in the kernel and are served. Each child gets only the role keys that it needs, through a pipe; the pipe's end tells
a child that the supervisor is gone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from certuary.core.audit_chain import new_stream, stream_key
from certuary.errors import ConfigError
from certuary.server.board import Board
from certuary.server.child import ChildOrders, hang_up_held, write_orders
from certuary.server.config import Settings
from certuary.server.logs import configure_logs
from certuary.server.portal_ways import check_ways
from certuary.server.wiring import EST_WORKER_ROLES, PORTAL_ROLES, STATUS_ROLES, unlock_keys
from certuary.services.node import node_name
from certuary.services.trust import AUDIT_NAME, AUDIT_ROLE, check_trust, read_trust

EST_WORKER = "certuary.server.worker"
STATUS_PROCESS = "certuary.server.status_process"
PORTAL_PROCESS = "certuary.server.portal_process"
BACKLOG = 2048
RESTART_DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each restart of a process that keeps dying before it serves. One that has served is started again at
once: while it is away, clients wait."""
KILL_AFTER_SECONDS = 10.0
"""How much longer than the drain a child may take to stop."""

_log = structlog.get_logger("certuary.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where a started server listens."""

    est_port: int
    status_port: int
    portal_port: int


def serve(
    settings: Settings,
    flags: Mapping[str, object],
    notice: Callable[[Ready], None] = lambda ready: None,
) -> None:
    """Run until SIGTERM or SIGINT. `notice` is called once both listeners answer."""
    configure_logs(settings.log_level, process="supervisor")
    Supervisor(settings, flags).run(notice)


@dataclass(slots=True)
class _Child:
    module: str
    roles: Sequence[str]
    listen: socket.socket
    slot: int
    process: subprocess.Popen[bytes] | None = None
    pipe_fd: int = -1
    deaths: int = 0
    restart_at: float = 0.0


class Supervisor:
    def __init__(self, settings: Settings, flags: Mapping[str, object]) -> None:
        self._settings = settings
        self._flags = flags
        self._stopping = False
        self._hang_up = False

    def run(self, notice: Callable[[Ready], None]) -> None:
        settings = self._settings
        check_ways(settings)
        est = _bind(settings.bind, settings.est_port, "est_port")
        status = _bind(settings.bind, settings.status_port, "status_port")
        portal = _bind(settings.bind, settings.portal_port, "portal_port")
        self._board = Board.create()
        self._children = [_Child(EST_WORKER, EST_WORKER_ROLES, est, slot) for slot in range(settings.workers)]
        self._children.append(_Child(STATUS_PROCESS, STATUS_ROLES, status, settings.workers))
        self._children.append(_Child(PORTAL_PROCESS, PORTAL_ROLES, portal, settings.workers + 1))
        self._listen_for_signals()
        # Deriving the key takes as long as the children take to import: both at once make the start quicker.
        for child in self._children:
            self._spawn(child)
        try:
            self._unlock()
            for child in self._children:
                self._give_orders(child)
        except BaseException:
            self._kill_all()
            raise
        ready = Ready(
            est_port=est.getsockname()[1],
            status_port=status.getsockname()[1],
            portal_port=portal.getsockname()[1],
        )
        self._watch(lambda: notice(ready))
        self._stop()

    def _listen_for_signals(self) -> None:
        self._wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hang_up)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop(self, *_: object) -> None:
        self._stopping = True

    def _on_hang_up(self, *_: object) -> None:
        self._hang_up = True

    def _unlock(self) -> None:
        self._keys = unlock_keys(self._settings)
        trust = read_trust(self._settings.keys_dir)
        keys = self._keys.store(("audit", "operator", "checkpoint"))
        check_trust(trust, keys)
        self._trust = trust.to_text()
        self._audit_secret = keys.load_secret(AUDIT_NAME, role=AUDIT_ROLE)
        self._node = node_name(self._settings.home)
        if self._keys.passphrase_is_beside_keys:
            _log.warning(
                "the key store's passphrase lies beside the keys: whoever copies the home has both;"
                " move it with: certuary keystore passphrase --to FILE"
            )

    def _start(self, child: _Child) -> None:
        self._spawn(child)
        self._give_orders(child)

    def _spawn(self, child: _Child) -> None:
        """Start the process; it imports, then waits for its orders."""
        read_fd, child.pipe_fd = os.pipe()
        with hang_up_held():
            child.process = subprocess.Popen(
                [sys.executable, "-m", child.module, str(read_fd)],
                pass_fds=(read_fd, child.listen.fileno(), self._board.fd),
                stdin=subprocess.DEVNULL,
            )
        os.close(read_fd)

    def _give_orders(self, child: _Child) -> None:
        stream = new_stream()
        orders = ChildOrders(
            home=self._settings.home,
            flags=self._flags,
            listen_fd=child.listen.fileno(),
            board_fd=self._board.fd,
            slot=child.slot,
            role_keys=self._keys.role_keys(child.roles),
            node=self._node,
            stream=stream,
            stream_key=stream_key(self._audit_secret, stream),
            trust=self._trust,
        )
        try:
            write_orders(child.pipe_fd, orders)
        except BrokenPipeError:
            _log.warning("a process died before it had its orders", module=child.module)

    def _kill_all(self) -> None:
        for child in self._children:
            if child.process is not None:
                child.process.kill()
                child.process.wait()

    def _watch(self, notice: Callable[[], None]) -> None:
        told = False
        while not self._stopping:
            if self._hang_up:
                self._hang_up = False
                self._signal_all(signal.SIGHUP)
            self._restart_the_dead()
            if not told and self._all_report():
                told = True
                _log.info("ready")
                notice()
            select.select([self._wake_read], [], [], 0.05 if not told else self._pause())
            _drain(self._wake_read)

    def _all_report(self) -> bool:
        reports = self._board.read_all()
        return all(child.slot in reports for child in self._children)

    def _pause(self) -> float:
        waiting = [child.restart_at for child in self._children if child.process is None]
        return max(0.01, min([1.0, *(at - time.monotonic() for at in waiting)]))

    def _restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.restart_at:
                    self._restart(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            if self._board.read(child.slot) is not None:
                child.deaths = 0
            self._bury(child)
            delay = RESTART_DELAYS[min(child.deaths, len(RESTART_DELAYS) - 1)]
            child.deaths += 1
            child.restart_at = now + delay
            _log.error("a process died and is restarted", module=child.module, code=code, delay_seconds=delay)
            if delay == 0:
                self._restart(child)

    def _restart(self, child: _Child) -> None:
        try:
            self._start(child)
        except OSError as problem:  # no memory or no process to be had: later, perhaps
            _log.error("a process cannot be started", module=child.module, problem=str(problem))
            child.process = None
            child.restart_at = time.monotonic() + RESTART_DELAYS[-1]

    def _bury(self, child: _Child) -> None:
        child.process = None
        os.close(child.pipe_fd)
        self._board.clear(child.slot)

    def _signal_all(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(number)

    def _stop(self) -> None:
        """The status process last: it signs a checkpoint over what all the others have written."""
        _log.info("stopping")
        for child in self._children:
            child.listen.close()
        status = [child for child in self._children if child.module == STATUS_PROCESS]
        self._end([child for child in self._children if child not in status])
        self._end(status)
        _log.info("stopped")

    def _end(self, children: Sequence[_Child]) -> None:
        running = [(child, child.process) for child in children if child.process is not None]
        until = time.monotonic() + self._settings.drain_seconds + KILL_AFTER_SECONDS
        for _, process in running:
            process.terminate()
        for child, process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(child.pipe_fd)


def _bind(address: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError as problem:
        listening.close()
        flag = "--" + setting.replace("_", "-")
        raise ConfigError(
            f"port {port} on {address} cannot be had ({problem.strerror}); choose another with {flag}",
            rule="port",
        ) from None
    listening.setblocking(False)
    return listening


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
