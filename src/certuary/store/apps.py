"""The name under which Django knows our tables, and what is set on each connection."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from django.apps import AppConfig
from django.utils.dateparse import parse_datetime


class StoreConfig(AppConfig):
    name = "certuary.store"
    label = "store"
    default = True

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        sqlite3.register_converter("datetime", _moment)
        connection_created.connect(_read_any_text, dispatch_uid="certuary.store")


def _read_any_text(connection: Any, **_: object) -> None:
    """SQLite stores any octets as text; one such value must break its own record, not the reading of all."""
    if connection.vendor == "sqlite":
        connection.connection.text_factory = _decoded


def _decoded(octets: bytes) -> str:
    return octets.decode(errors="replace")


def _moment(octets: bytes) -> datetime | None:
    """None for what is no moment: Django's own converter fails on it, and with it the whole read."""
    try:
        return parse_datetime(octets.decode())
    except ValueError:
        return None
