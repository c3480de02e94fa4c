"""Every limit of the EST listener, in one place; `docs/configuration.md` lists them.

Those of lingering hold for the other listeners too, whose own are in `bounded_http.py`.
"""

from __future__ import annotations

HANDSHAKE_SECONDS = 10.0
"""From the accepted connection to the end of the TLS handshake, PROXY header included."""

REQUEST_SECONDS = 15.0
"""From a request's first byte to its last, however slowly the bytes arrive."""

IDLE_SECONDS = 30.0
"""How long a kept-alive connection may wait for its next request."""

LINGER_SECONDS = 2.0
"""After a refusal in mid-request: how long the rest of it is read and thrown away, so that the refusal arrives."""

FLUSH_SECONDS = 10.0
"""How long a closing connection may take to read what it was sent."""

SWEEP_SECONDS = 0.5
"""How often deadlines are looked at."""

MAX_HEADERS = 100
MAX_HEAD_OCTETS = 32 * 1024
MAX_BODY_OCTETS = 64 * 1024
MAX_REQUEST_OCTETS = 512 * 1024
"""Head, body, and what frames the body: a chunk of one octet is six on the wire."""

MAX_PIPELINED = 16
"""Requests of one connection that may wait behind the one being answered."""

MAX_LINGER_OCTETS = 8 * 1024 * 1024
