"""Whether a certificate is on its authority's published list, whatever its row says.

An older row put back, with the mark it had before the revocation, says that the certificate is valid. The list, which
is signed and loses no entry before it expires, says otherwise.
"""

from __future__ import annotations

from certuary.core.crl import listed_entries
from certuary.core.mark import Marker
from certuary.services.believed_crl import newest_believed_crl
from certuary.services.ports import CrlStore


class ListedRevocations:
    """Blocking; for one thread. Of each authority it keeps the serials of the newest list that it has seen."""

    def __init__(self, crls: CrlStore, marker: Marker) -> None:
        self._crls = crls
        self._marker = marker
        self._stored: dict[int, int | None] = {}
        self._listed: dict[int, tuple[int, frozenset[int]]] = {}

    def __call__(self, authority_id: int, serial: int) -> bool:
        number = self._crls.latest_number(authority_id)
        if authority_id not in self._stored or self._stored[authority_id] != number:
            self._read(authority_id)
            self._stored[authority_id] = number
        return serial in self._listed.get(authority_id, (0, frozenset()))[1]

    def _read(self, authority_id: int) -> None:
        crl = newest_believed_crl(self._crls, authority_id, self._marker).crl
        known, _ = self._listed.get(authority_id, (-1, frozenset()))
        if crl is not None and crl.number > known:
            serials = frozenset(serial for serial, _ in listed_entries(crl.der))
            self._listed[authority_id] = crl.number, serials
