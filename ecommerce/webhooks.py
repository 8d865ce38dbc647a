"""The endpoint for gateways' notices."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ecommerce.gateways.base import NoticeForged, PaymentFailed
from ecommerce.gateways.registry import UNNAMED
from ecommerce.services.payment.notices import receive_notice
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
@never_cache
def webhook(request: HttpRequest, gateway: str = UNNAMED) -> HttpResponse:
    """Store a notice and answer at once. Its signature replaces session and CSRF token.

    Answers 200 once the notice is stored, also when it comes again, 400 for one that the gateway didn't sign, and 503
    where only the gateway itself could say whether it did, and didn't answer: then it sends the notice again.
    """
    try:
        receive_notice(
            gateway_name=gateway,
            body=_body(request),
            headers=request.headers,
            host=request.get_host(),
            now=clock.now(),
        )
    except NoticeForged as error:
        logger.warning("notice refused", extra={"gateway": gateway, "reason": str(error)})
        return HttpResponse("refused\n", status=400, content_type="text/plain")
    except PaymentFailed as failure:
        logger.warning("notice not verified", extra={"gateway": gateway, "code": failure.code})
        return HttpResponse("later\n", status=503, content_type="text/plain")
    return HttpResponse("kept\n", content_type="text/plain")


def _body(request: HttpRequest) -> bytes:
    """Return the raw body. One longer than any notice isn't even read.

    A chunked request doesn't announce its length, and Django would take its body for empty.
    """
    most = settings.NOTICE_MAX_BYTES
    if "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower():
        body: bytes = request.META["wsgi.input"].read(most + 1)
        if len(body) > most:
            raise NoticeForged("too long")
        return body
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or int(length) > most:
        raise NoticeForged("too long")
    return request.body
