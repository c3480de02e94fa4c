"""What the portal itself keeps: sessions, and changes that wait to be signed.

Nothing here is believed for more than showing pages: a change takes the password, which unwraps the key that signs it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.crypto import salted_hmac

from certuary.errors import NotPermitted
from certuary.portal.role_words import role_in_words
from certuary.store.models import User
from certuary.store.protection import Protection, free


class PortalUserManager(models.Manager["PortalUser"]):
    def get_by_natural_key(self, name: str) -> PortalUser:
        return self.get(name=name, removed_at__isnull=True)


class PortalUser(User):
    """A user as Django's authentication sees one. Passwords are checked by `portal.backend` alone."""

    USERNAME_FIELD = "name"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    is_anonymous = False
    is_authenticated = True
    protection: ClassVar = Protection()  # its columns are those of `User`

    objects: ClassVar = PortalUserManager()

    class Meta:
        proxy = True

    @property
    def is_active(self) -> bool:
        return self.enabled and self.removed_at is None

    @property
    def role_name(self) -> str:
        return role_in_words(self.role)

    def get_username(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    def get_session_auth_hash(self) -> str:
        """A new password, role or key ends the sessions that began before it."""
        return self._session_hash(None)

    def get_session_auth_fallback_hash(self) -> list[str]:
        return []

    def has_usable_password(self) -> bool:
        return True

    def check_password(self, raw_password: str) -> bool:
        """Never: a password is checked where its use is audited."""
        return False

    def set_password(self, raw_password: str | None) -> None:
        raise NotPermitted(
            "a user's password is changed by a signed change (services.manage_user), never by a model"
        )

    def _session_hash(self, secret: str | None) -> str:
        covered = f"{self.password_hash}:{self.signing_certificate}:{self.role}"
        options: dict[str, Any] = {"algorithm": "sha256"} | ({"secret": secret} if secret else {})
        return salted_hmac("certuary.portal.session", covered, **options).hexdigest()


class PortalSession(models.Model):
    """A browser's session. `key_hash` is a keyed hash of what its cookie holds, which is nowhere else."""

    protection: ClassVar = free(
        "data is signed with a key of the key store; a session shows pages, and signs nothing without a password",
        "key_hash user_id data address user_agent created_at seen_at expires_at",
    )

    key_hash = models.CharField(max_length=64, primary_key=True)
    user_id = models.BigIntegerField(null=True, db_index=True)
    data = models.TextField()
    address = models.CharField(max_length=45, default="")
    user_agent = models.CharField(max_length=200, default="")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "portal_sessions"


class PendingChange(models.Model):
    """A change that was shown on Verify and Confirm and waits 15 minutes for a signature. Used once, by its maker."""

    protection: ClassVar = free(
        "the form carries the digest of what was shown: a row that changed in between is refused before it is signed",
        "token_hash user_id kind content digest created_at",
    )

    token_hash = models.CharField(max_length=64, primary_key=True)
    user_id = models.BigIntegerField()
    kind = models.CharField(max_length=48)
    content = models.TextField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "portal_pending_changes"


class ApiToken(models.Model):
    """A token for the REST API. `token_hash` is a keyed hash: the token itself was shown once and is nowhere."""

    protection: ClassVar = Protection(
        marked="token_hash user_id name scopes created_at expires_at revoked_at mark",
        how="with the user's role and password: a row that the portal did not write opens nothing",
        free={"id": "only a key", "last_used_at": "shown to people"},
    )

    token_hash = models.CharField(max_length=64, unique=True)
    user_id = models.BigIntegerField(db_index=True)
    name = models.CharField(max_length=64)
    scopes = models.JSONField()  # ["applications:read", ...]
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    mark = models.BinaryField()

    class Meta:
        db_table = "api_tokens"


class IdempotentRequest(models.Model):
    """What an API request with an `Idempotency-Key` was answered, for 24 hours: repeated, it is answered the same."""

    protection: ClassVar = free(
        "repeats an answer to whoever was given it; nothing is done on its word, and no secret is in it",
        "key_hash request_digest status body created_at",
    )

    key_hash = models.CharField(max_length=64, primary_key=True)
    request_digest = models.CharField(max_length=64)
    status = models.SmallIntegerField(null=True)  # null while the first request is at work
    body = models.TextField(default="")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "api_idempotent_requests"
