"""The name under which Django knows our tables."""

from __future__ import annotations

from django.apps import AppConfig


class StoreConfig(AppConfig):
    name = "certuary.store"
    label = "store"
    default = True
