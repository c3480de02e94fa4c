"""Idempotency keys: a change that is sent again under the same key is made once and answered the same, for 24 hours.

Kept is the answer without its secrets: a generated password is shown by the first answer alone.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, cast

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from ninja import Schema

from certuary.errors import (
    BadRequest,
    Conflict,
    InvalidValue,
    NotFound,
    OrderUnanswered,
    RateLimited,
    Refused,
    SecondPersonNeeded,
)
from certuary.portal.api.parser import JSON
from certuary.portal.api.problems import IdempotencyMismatch
from certuary.portal.api.second_person import begin, keep
from certuary.portal.api.tokens import ApiCaller
from certuary.portal.models import IdempotentRequest

HEADER: Final = "Idempotency-Key"
KEPT: Final = timedelta(hours=24)
_LONGEST_KEY: Final = 255
_REFUSALS: Final = (BadRequest, Refused, NotFound, Conflict, RateLimited, OrderUnanswered)
"""After which nothing was changed; an unanswered order was withdrawn, and nothing will be issued for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a change is answered. `secrets` are added to the body that is sent, and to no other."""

    status: int = 200
    body: Mapping[str, Any]
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)


def answer_of(body: Schema, *, status: int = 200, **secrets: object) -> Answer:
    """`secrets`, such as a generated password, are fields that the first answer alone holds."""
    told = {name: value for name, value in secrets.items() if value is not None}
    shown = body.model_dump(mode="json", exclude=set(secrets))
    return Answer(status=status, body=shown, secrets=told)


NOTHING: Final = Answer(status=204, body={})


Operation = Callable[..., Answer]


def change(operation: Operation) -> Callable[..., HttpResponse]:
    """Of an operation that changes something: obeys `Idempotency-Key`. The caller is authenticated by then."""

    @wraps(operation)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get(HEADER)
        if key is None:
            return _response(_run(operation, request, *args, **kwargs))
        row = _reserve(request, key)
        if row.status is not None:
            return _repeated(row)
        try:
            answer = _run(operation, request, *args, **kwargs)
        except _REFUSALS:
            # The key is free for another try. After anything else nobody knows what was changed.
            IdempotentRequest.objects.filter(pk=row.pk).delete()
            raise
        row.status, row.body = answer.status, json.dumps(dict(answer.body))
        row.save(update_fields=["status", "body"])
        return _response(answer)

    # Resolved here, as the names in its annotations are those of the operation's module.
    cast(Any, run).__signature__ = inspect.signature(operation, eval_str=True)
    return run


def _run(operation: Operation, request: HttpRequest, *args: Any, **kwargs: Any) -> Answer:
    """202 when the change takes two persons: it was kept."""
    begin(request, operation.__name__)
    try:
        return operation(request, *args, **kwargs)
    except SecondPersonNeeded as needed:
        return Answer(status=HTTPStatus.ACCEPTED, body=keep(request, needed, kwargs))


def _reserve(request: HttpRequest, key: str) -> IdempotentRequest:
    """A fresh row for the first request of this key, the finished one for a repetition."""
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidValue(f"{HEADER} is 1 to {_LONGEST_KEY} characters", rule="idempotency-key")
    now = timezone.now()
    IdempotentRequest.objects.filter(created_at__lt=now - KEPT).delete()
    digest = _digest(request)
    row = IdempotentRequest(key_hash=_key_hash(request, key), request_digest=digest, created_at=now)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        found = IdempotentRequest.objects.filter(pk=row.pk).first()
        if found is None or (found.status is None and found.request_digest == digest):
            raise Conflict(
                "a request with this key is at work, or was interrupted; see whether it was done, then use another key",
                rule="idempotency-in-progress",
            ) from None
        if found.request_digest != digest:
            raise IdempotencyMismatch("this key was used with another request") from None
        return found
    return row


def _digest(request: HttpRequest) -> str:
    """Under the portal's key: a body may hold a password, which nobody is to guess at by a hash in the database."""
    parts = (str(request.method), request.get_full_path(), hashlib.sha256(request.body).hexdigest())
    return salted_hmac("certuary.portal.idempotent-request", "\n".join(parts), algorithm="sha256").hexdigest()


def _key_hash(request: HttpRequest, key: str) -> str:
    caller = cast(ApiCaller, cast(Any, request).auth)
    return salted_hmac(
        "certuary.portal.idempotency", f"{caller.token_id}:{key}", algorithm="sha256"
    ).hexdigest()


def _repeated(row: IdempotentRequest) -> HttpResponse:
    answer = Answer(status=row.status or HTTPStatus.OK, body=json.loads(row.body))
    response = _response(answer)
    response["Idempotency-Replayed"] = "true"
    return response


def _response(answer: Answer) -> HttpResponse:
    if answer.status == 204:
        return HttpResponse(status=204)
    body = json.dumps({**answer.body, **answer.secrets})
    response = HttpResponse(body, content_type=JSON, status=answer.status)
    if answer.status == HTTPStatus.ACCEPTED:
        response["Location"] = str(answer.body["url"])
    return response
