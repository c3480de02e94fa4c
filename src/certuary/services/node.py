"""Which copy of a home this is: a random name in `HOME/node.json`, made at the first start on a machine."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from certuary.errors import ConfigError
from certuary.services.durable_file import replace_durably


def node_path(home: Path) -> Path:
    return home / "node.json"


def node_name(home: Path) -> str:
    """Made up when there is none yet."""
    path = node_path(home)
    try:
        name = json.loads(path.read_text())["node"]
    except FileNotFoundError:
        name = secrets.token_hex(8)
        _write(path, name)
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path} is damaged; delete it, and this node gets a new name", rule="node"
        ) from None
    if not isinstance(name, str) or not name.isalnum() or len(name) > 32:
        raise ConfigError(f"{path} is damaged; delete it, and this node gets a new name", rule="node")
    return name


def _write(path: Path, name: str) -> None:
    try:
        replace_durably(path, json.dumps({"node": name}).encode() + b"\n")
    except OSError as problem:
        raise ConfigError(f"{path} cannot be written: {problem.strerror}", rule="node") from None
