"""Runs password checks one at a time on a thread of low priority, those of the reserve first.

One check holds 19 MiB; one at a time bounds the memory. The thread's priority is lowered, so that on a busy core
enrolments with cached passwords or certificates go first.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future

from certuary.errors import RateLimited
from certuary.services.passwords import Passwords

MAX_WAITING = 64
MAX_WAITING_RESERVED = 1024
_NICE = 10


class PasswordChecker:
    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._waiting: deque[tuple[str | None, str, Future[bool]]] = deque()
        self._reserved: deque[tuple[str | None, str, Future[bool]]] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="password-checker", daemon=True)
        self._thread.start()

    def check(self, stored_hash: str | None, password: str, *, reserved: bool) -> Future[bool]:
        """True when the password fits; without a stored hash the same time passes and the answer is False."""
        queue, bound = (self._reserved, MAX_WAITING_RESERVED) if reserved else (self._waiting, MAX_WAITING)
        future: Future[bool] = Future()
        with self._condition:
            if len(queue) >= bound:
                raise RateLimited(
                    "too many password checks are waiting; try again in a moment", retry_after=2
                )
            queue.append((stored_hash, password, future))
            self._condition.notify()
        return future

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while (job := self._next()) is not None:
            stored_hash, password, future = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._check(stored_hash, password))
            except BaseException as problem:
                future.set_exception(problem)

    def _next(self) -> tuple[str | None, str, Future[bool]] | None:
        with self._condition:
            while not (self._reserved or self._waiting or self._closed):
                self._condition.wait()
            if self._closed:
                return None
            return (self._reserved or self._waiting).popleft()

    def _check(self, stored_hash: str | None, password: str) -> bool:
        if stored_hash is None:
            self._passwords.verify_nobody(password)
            return False
        return self._passwords.verify(stored_hash, password)
