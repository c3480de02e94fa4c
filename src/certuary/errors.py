"""Every exception we raise.

    CertuaryError                            HTTP  exit
      BadRequest                             400    65
        MalformedRequest                     400    65   the HTTP request itself
        MalformedBody                        400    65   base64, PEM
        MalformedCsr                         400    65
        MalformedCertificate                 400    65
        KeyRefused                           400    65   one named rule of the key policy
        BadProofOfPossession                 400    65
        LinkingFailed                        400    65   RFC 7030 section 3.5
        InvalidProfile                       400    65   a profile's TOML
        InvalidValue                         400    65   a value given to a command or a change
      NotAuthenticated                       401    77
      Refused                                403    77
        NotPermitted                         403    77   a user's role, an application's grants
          SecondPersonNeeded                 403    77   a change of a kind that takes two persons
        ProfileRefused                       403    77
        SubjectRefused                       403    77
        SubjectChanged                       403    77
        NothingToRenew                       403    77
        CertificateRevoked                   403    77
        KeyReused                            403    77
        OrderRefused                         403    77   a certificate that a user ordered
      NotFound                               404    66
      MethodNotAllowed(allow)                405    65
      RequestTimedOut                        408    75
      Conflict                               409    65   AlreadyExists, AlreadyRevoked
        InvalidSeal                          409    65   a sealed record that cannot be believed
        InvalidMark                          409    65   a row of the server's own that was altered
        AuditBroken                          409    65   the audit chain has findings
      BodyTooLarge                           413    65
      UnsupportedMediaType                   415    65
      RateLimited(retry_after)               429    75
      Unavailable(retry_after)               503    75   EstDisabled, KeyStoreDown, DatabaseDown, ClockUnsafe,
                                                         OrderUnanswered
      ConfigError                             --    78
    anything else                            500    70   generic text out, full story in the log

The numbers live in one table, `est/error_map.py`. `str(error)` is safe to show to the caller.
"""

from __future__ import annotations


class CertuaryError(Exception):
    """Base of all our exceptions.

    `rule` is a short kebab-case name of what was violated: it opens the text the caller sees, and it is what
    the audit event, the metrics and the documentation call it. `is_recorded` where what was signed had been committed
    before it failed: nobody is told then that nothing was signed.
    """

    rule = "error"
    is_recorded = False

    def __init__(self, detail: str, *, rule: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if rule is not None:
            self.rule = rule

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


class BadRequest(CertuaryError):
    rule = "bad-request"


class MalformedRequest(BadRequest):
    rule = "malformed-request"


class MalformedBody(BadRequest):
    rule = "malformed-body"


class MalformedCsr(BadRequest):
    rule = "malformed-csr"


class MalformedCertificate(BadRequest):
    rule = "malformed-certificate"


class KeyRefused(BadRequest):
    rule = "key-refused"


class BadProofOfPossession(BadRequest):
    rule = "proof-of-possession"


class LinkingFailed(BadRequest):
    rule = "linking-failed"


class InvalidProfile(BadRequest):
    """`path` is the key that is wrong ("validity.lifetime"), `line` where it stands, `problem` what is wrong with it,
    when there is one key to name."""

    rule = "invalid-profile"

    def __init__(self, detail: str, *, path: str = "", line: int = 0, problem: str = "") -> None:
        super().__init__(detail)
        self.problem = problem or detail
        self.path = path
        self.line = line


class InvalidValue(BadRequest):
    rule = "invalid-value"


class NotAuthenticated(CertuaryError):
    """Says nothing of why: the reason is for the audit event alone."""

    rule = "not-authenticated"

    def __init__(self, reason: str) -> None:
        super().__init__("valid credentials are needed")
        self.reason = reason


class Refused(CertuaryError):
    rule = "refused"


class NotPermitted(Refused):
    rule = "not-permitted"


class SecondPersonNeeded(NotPermitted):
    """One entitled person signed, and the kind of change takes two. `kind` is a key of `services.two_persons.RULES`;
    `group_ids` are the groups of what would be changed, `least_role` is the least that may make it in these."""

    rule = "two-persons"

    def __init__(self, detail: str, *, kind: str, group_ids: tuple[int, ...], least_role: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.group_ids = group_ids
        self.least_role = least_role


class ProfileRefused(Refused):
    rule = "profile-refused"


class SubjectRefused(Refused):
    rule = "subject-refused"


class SubjectChanged(Refused):
    rule = "subject-changed"


class NothingToRenew(Refused):
    rule = "nothing-to-renew"


class CertificateRevoked(Refused):
    rule = "certificate-revoked"


class KeyReused(Refused):
    rule = "key-reused"


class OrderRefused(Refused):
    """Of an order for a certificate; the rule is the one that the worker found broken."""

    rule = "order-refused"

    @classmethod
    def of(cls, reason: str, detail: str) -> OrderRefused:
        """As the worker told it: `reason` is the rule."""
        refusal = cls(detail)
        refusal.rule = reason
        return refusal


class NotFound(CertuaryError):
    rule = "not-found"


class MethodNotAllowed(CertuaryError):
    rule = "method-not-allowed"

    def __init__(self, detail: str, *, allow: str) -> None:
        super().__init__(detail)
        self.allow = allow


class RequestTimedOut(CertuaryError):
    rule = "request-timeout"


class Conflict(CertuaryError):
    rule = "conflict"


class AlreadyExists(Conflict):
    rule = "already-exists"


class AlreadyRevoked(Conflict):
    rule = "already-revoked"


class InvalidSeal(Conflict):
    """What the record says is not what somebody entitled signed; the detail names the reason."""

    rule = "invalid-seal"


class InvalidMark(Conflict):
    rule = "invalid-mark"


class AuditBroken(Conflict):
    rule = "audit-broken"


class BodyTooLarge(CertuaryError):
    rule = "body-too-large"


class UnsupportedMediaType(CertuaryError):
    rule = "unsupported-media-type"


class _ComeBack(CertuaryError):
    """A refusal that passes: the caller may repeat after `retry_after` seconds."""

    def __init__(self, detail: str, *, retry_after: int = 1, rule: str | None = None) -> None:
        super().__init__(detail, rule=rule)
        self.retry_after = retry_after


class RateLimited(_ComeBack):
    rule = "rate-limited"


class Unavailable(_ComeBack):
    rule = "unavailable"


class EstDisabled(Unavailable):
    rule = "est-disabled"


class KeyStoreDown(Unavailable):
    rule = "key-store-down"


class DatabaseDown(Unavailable):
    rule = "database-down"


class ClockUnsafe(Unavailable):
    rule = "clock-unsafe"


class OrderUnanswered(Unavailable):
    rule = "order-unanswered"


class ConfigError(CertuaryError):
    rule = "configuration"
