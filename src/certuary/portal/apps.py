from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "certuary.portal"
    label = "portal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from certuary.portal import signals  # noqa: F401  # receivers are known once they are imported
