"""What mypy's plugin for Django reads: every model of the product, on no database."""

from certuary.portal.settings import portal_settings
from certuary.store.settings import *  # noqa: F403  # settings are read by their names

vars().update(portal_settings(secret_key="for types alone", hosts=()))
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/no-such-directory/unused.db"}}
