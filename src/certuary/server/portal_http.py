"""The portal listener: HTTPS, under a certificate that may change while it runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from certuary.server.bounded_http import PORTAL, BoundedServer


class PortalServer(BoundedServer):
    def __init__(self, application: Any, context: ssl.SSLContext) -> None:
        super().__init__(application, PORTAL)
        self.context = context
        self.config.load()
        self.config.ssl = _changeable(context, lambda: self.context)


def _changeable(first: ssl.SSLContext, current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A context whose handshakes go on under the one that is current then."""

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = current()

    first.sni_callback = choose
    return first
