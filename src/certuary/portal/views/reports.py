"""What browsers report of the content security policy."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

_LONGEST = 2000
_log = structlog.get_logger("certuary.portal")


@csrf_exempt
def csp_report(request: HttpRequest) -> HttpResponse:
    """Sent by the browser without a form's token; it is logged and changes nothing."""
    _log.warning(
        "a browser reported the content security policy",
        report=request.body[:_LONGEST].decode(errors="replace"),
    )
    return HttpResponse(status=204)
