"""Keep in `HOME/certuary.toml` what `init` was told, so that later commands need not be told again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from certuary.errors import ConfigError
from certuary.services.first_start import write_file


def settings_to_add(home: Path, given: Mapping[str, object]) -> str:
    """The lines that are missing. What the file says otherwise is the operator's: `ConfigError`."""
    path = home / "certuary.toml"
    known = tomllib.loads(path.read_text()) if path.exists() else {}
    wanted = {key: value for key, value in given.items() if value is not None}
    for key, value in wanted.items():
        if key in known and known[key] != value:
            raise ConfigError(
                f"{path} sets {key!r} to another value; change it there, or leave out the option"
            )
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in wanted.items()
        if key not in known
    )


def add_settings(home: Path, lines: str) -> None:
    path = home / "certuary.toml"
    text = path.read_text() if path.exists() else ""
    if lines:
        # Before what is there, which may end within a table of its own.
        write_file(path, (lines + text).encode())
