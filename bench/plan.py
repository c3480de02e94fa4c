"""How long and how much: the whole run, or `--quick` to see that everything works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.servers import Cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`seconds` is how long a row is measured; `directory` takes homes and files."""

    directory: Path
    cores: Cores
    seconds: float = 8.0
    turns: int = 4
    client_certificates: int = 400
    refusals_per_kind: int = 250
    attack_seconds: float = 20.0
    memory_first: int = 10_000
    memory_last: int = 100_000
    stored_certificates: int = 1_000_000
    revoked_certificates: int = 20_000

    @property
    def turn_seconds(self) -> float:
        """A row that is compared with its floor takes turns with it."""
        return self.seconds / self.turns

    @classmethod
    def quick(cls, directory: Path, cores: Cores) -> Plan:
        """Figures of no worth, in a couple of minutes."""
        return cls(
            directory=directory,
            cores=cores,
            seconds=2.0,
            turns=2,
            client_certificates=40,
            refusals_per_kind=20,
            attack_seconds=4.0,
            memory_first=1_000,
            memory_last=4_000,
            stored_certificates=20_000,
            revoked_certificates=1_000,
        )
