"""Operations on a buyer's own orders."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from api.commerce import schemas
from api.commerce.order_drawing import draw_history, draw_receipts, draw_status
from api.http.callers import COMMERCE, person
from api.http.errors import refuse_fields
from api.http.paging import PageOfList, paginate_by_offset
from api.http.shapes import Id
from ecommerce.enums import RefundWhy
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.selectors.receipts import completed_orders_of, find_order, receipt_by_id
from ecommerce.services.refunds.requests import request_refund
from mitxonline.kernel import clock

router = Router(auth=COMMERCE.signed_in, tags=["orders"])


@router.get("/v0/orders/history/", operation_id="orders_history_list", response=schemas.PaginatedOrderHistoryList)
def list_orders(request: HttpRequest, paging: Query[schemas.OrderPaging]) -> PageOfList[schemas.OrderHistory]:
    """List what you bought, newest first, also what was refunded later."""
    now = clock.now()
    rows = completed_orders_of(person(request).pk)
    return paginate_by_offset(
        request, rows, lambda orders: draw_history(orders, now=now), limit=paging.limit, offset=paging.offset
    )


@router.get("/v0/orders/history/{id}/", operation_id="orders_history_retrieve", response=schemas.OrderHistory)
def get_order(request: HttpRequest, id: Id) -> schemas.OrderHistory:
    drawn = draw_history(list(completed_orders_of(person(request).pk).filter(pk=id)), now=clock.now())
    if not drawn:
        raise OrderUnknown
    return drawn[0]


@router.get("/v0/orders/receipt/{id}/", operation_id="orders_receipt_retrieve", response=schemas.Order)
def get_receipt(request: HttpRequest, id: Id) -> schemas.Order:
    """Return one of your orders as a receipt, in whichever state it is."""
    (drawn,) = draw_receipts([receipt_by_id(user_id=person(request).pk, order_id=id)], now=clock.now())
    return drawn


@router.get("/v0/orders/status/{order_id}/", operation_id="orders_status_retrieve", response=schemas.OrderStatus)
def get_status(request: HttpRequest, order_id: str) -> schemas.OrderStatus:
    """Return the state of one of your orders, by its id or its number. Ask again while it is pending."""
    return draw_status(find_order(user_id=person(request).pk, name=order_id))


@router.post(
    "/v0/orders/refund-requests/",
    operation_id="orders_refund_requests_create",
    response={201: schemas.RefundRequest},
)
def ask_for_refund(request: HttpRequest, body: schemas.RefundRequestRequest) -> Status[schemas.RefundRequest]:
    """Request a refund of one of your orders, of everything that can still be refunded. Finance answers by e-mail."""
    if not body.consent_given:
        raise refuse_fields(consent_given=_("Agree that a refund ends your access to the courses."))
    user_id, reason = person(request).pk, body.refund_reason or None
    if reason == schemas.RefundReasonEnum.OTHER and not (body.refund_reason_text or "").strip():
        raise refuse_fields(refund_reason_text=_("Say why."))
    is_unlike = reason == schemas.RefundReasonEnum.COURSE_NOT_AS_EXPECTED
    request_refund(
        user_id=user_id,
        number=find_order(user_id=user_id, name=str(body.order)).number,
        why=RefundWhy.NOT_AS_DESCRIBED if is_unlike else RefundWhy.OTHER,
        text=_describe_reason(reason, body.refund_reason_text or ""),
        now=clock.now(),
    )
    return Status(
        201,
        schemas.RefundRequest(
            order=body.order,
            refund_reason=body.refund_reason or "",
            refund_reason_text=body.refund_reason_text or "",
            consent_given=True,
        ),
    )


def _describe_reason(reason: schemas.RefundReasonEnum | None, text: str) -> str:
    """Return what finance reads: the reason, where it isn't one of ours, and the buyer's words."""
    words = {
        schemas.RefundReasonEnum.ENROLLED_IN_ANOTHER_COURSE: _("I enrolled in another course."),
        schemas.RefundReasonEnum.TECHNICAL_DIFFICULTIES: _("I had technical difficulties."),
        schemas.RefundReasonEnum.FINANCIAL_REASONS: _("I have financial reasons."),
    }
    if reason is None and not text.strip():
        return _("The buyer gave no reason.")
    return " ".join(part for part in (words.get(reason, "") if reason else "", text.strip()) if part)
