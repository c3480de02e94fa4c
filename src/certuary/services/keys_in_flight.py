"""Keys being certified now: from the look whether a key was used before to the commit of its certificate.

Without it two requests at once would both find the key unused. It sees the requests of one worker.
"""

from __future__ import annotations

from certuary.errors import Unavailable


class KeysInFlight:
    """Any thread may call; each step is one operation of a dict."""

    def __init__(self) -> None:
        self._request_of_key: dict[str, str] = {}
        self._key_of_request: dict[str, str] = {}

    def claim(self, key_hash: str, request_id: str) -> None:
        """`Unavailable` while another request holds the key."""
        if self._request_of_key.setdefault(key_hash, request_id) != request_id:
            raise Unavailable(
                "this key is being certified by another request", rule="key-in-flight", retry_after=1
            )
        self._key_of_request[request_id] = key_hash

    def release(self, request_id: str) -> None:
        key_hash = self._key_of_request.pop(request_id, None)
        if key_hash is not None:
            del self._request_of_key[key_hash]
