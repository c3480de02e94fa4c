"""What Django needs to know whatever the database is. `store.setup` adds the database."""

from __future__ import annotations

INSTALLED_APPS = ["certuary.store.apps.StoreConfig"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LOGGING_CONFIG = None
# Nothing here signs anything with it: no sessions, no forms. Django only refuses an empty one.
SECRET_KEY = "unused"  # noqa: S105
