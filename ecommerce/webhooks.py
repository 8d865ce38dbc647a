"""What gateways call, and what the worker makes of it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ecommerce.events import NoticeReceived
from ecommerce.gateways.base import NoticeForged
from ecommerce.services.payment.notices import process_notice, receive_notice
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
@never_cache
def webhook(request: HttpRequest, gateway: str = "stripe") -> HttpResponse:
    """Keep what a gateway says and answer at once; the signature stands in for a session and a token.

    200 once it is stored, also for the second time; 400 for what the gateway didn't write, and nothing is stored.
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
    return HttpResponse("kept\n", content_type="text/plain")


def notice_received(event: NoticeReceived) -> None:
    """Act on a kept notice; what fails is delivered again, later and later."""
    process_notice(notice_id=event.notice_id, now=clock.now())


def _body(request: HttpRequest) -> bytes:
    """The body as it came, unless it is longer than any notice: then it is not even read.

    One that comes in chunks doesn't say how long it is; Django would take it for empty.
    """
    most = settings.NOTICE_MAX_BYTES
    if "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower():
        body: bytes = request.META["wsgi.input"].read(most + 1)
        if len(body) > most:
            raise NoticeForged("too long")
        return body
    told = str(request.META.get("CONTENT_LENGTH") or "0")
    if not told.isdecimal() or int(told) > most:
        raise NoticeForged("too long")
    return request.body
