"""Keep in `HOME/certuary.toml` what `init` was told, so that later commands need not be told again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from certuary.errors import ConfigError
from certuary.services.first_start import write_file


def save_settings(home: Path, given: Mapping[str, object]) -> None:
    """Add the settings that were given. A file that says something else is the operator's, and is not changed."""
    path = home / "certuary.toml"
    text = path.read_text() if path.exists() else ""
    known = tomllib.loads(text)
    wanted = {key: value for key, value in given.items() if value is not None}
    for key, value in wanted.items():
        if key in known and known[key] != value:
            raise ConfigError(
                f"{path} sets {key!r} to another value; change it there, or leave out the option"
            )
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in wanted.items()
        if key not in known
    ]
    if lines:
        # Before what is there, which may end within a table of its own.
        write_file(path, ("\n".join(lines) + "\n" + text).encode())
