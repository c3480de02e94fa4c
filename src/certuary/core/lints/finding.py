"""What a lint works with and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from certuary.core.certificate import AnyExtension

ByType = Mapping[type[x509.ExtensionType], AnyExtension]
"""A plan's extensions by the class of their value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A plan that must not be signed: which rule, the clause behind it, and what is wrong."""

    rule: str
    clause: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail} ({self.clause})"
