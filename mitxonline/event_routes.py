"""Which receiver hears which event, in which order and on which side of the commit.

The one file that knows both sides. `within` receivers share the publisher's transaction and may refuse it;
`after_commit` receivers are recorded as deliveries in that transaction and carried by the worker. Those that call a
gateway, Keycloak or a course site are `remote`: they run from a queue of their own, and nothing waits behind them.
"""

from b2b import receivers as b2b
from b2b import tasks as b2b_tasks
from b2b.events import HandOutMailsQueued, HoldsEnded, KeycloakJoinRequested, ReconcileRequested
from courses.events import LearnerEnrolled, LearnerUnenrolled, RunsRequested
from ecommerce import receivers as ecommerce
from ecommerce import webhooks as ecommerce_webhooks
from ecommerce.events import (
    FreeLinesUndone,
    LinesRefunded,
    LinesRestored,
    LinkBasketClaimed,
    MoneyReturned,
    NoticeReceived,
    OrderClosed,
    OrderFulfilled,
    OrderInReview,
    PaidTwice,
    PaymentDeclined,
    ReceiptWanted,
    RefundAsked,
    RefundDenied,
    RefundFailed,
)
from mitxonline.coordinator.bus import Route
from mitxonline.coordinator.events import Event
from mitxonline.users import receivers as users
from mitxonline.users.events import AccountMailQueued, ConnectionUndone

ROUTES: dict[type[Event], Route] = {
    AccountMailQueued: Route(after_commit=(users.send_account_mail,)),
    # Enrolled and seated in the one transaction that fulfills: no paid order without a course, no seat without one.
    OrderFulfilled: Route(
        within=(ecommerce.enroll_buyer, b2b.claim_seats),
        after_commit=(ecommerce.email_receipt,),
    ),
    LinkBasketClaimed: Route(within=(b2b.apply_given_codes,)),
    OrderClosed: Route(within=(b2b.release_seats,)),
    OrderInReview: Route(
        within=(b2b.release_seats, ecommerce.tell_finance_of_review), after_commit=(ecommerce.email_review,)
    ),
    # It asks the gateway.
    NoticeReceived: Route(remote=(ecommerce_webhooks.notice_received,)),
    PaymentDeclined: Route(after_commit=(ecommerce.email_payment_failed,)),
    LinesRefunded: Route(within=(b2b.free_seats_after_refund,)),
    # The seat is claimed again in the transaction that opens the courses again, or neither is.
    LinesRestored: Route(within=(b2b.claim_seats,)),
    RefundFailed: Route(after_commit=(ecommerce.email_refund_failed,)),
    FreeLinesUndone: Route(after_commit=(ecommerce.email_free_lines_undone,)),
    PaidTwice: Route(after_commit=(ecommerce.email_paid_twice,)),
    MoneyReturned: Route(after_commit=(ecommerce.email_refund,)),
    RefundAsked: Route(after_commit=(ecommerce.email_refund_asked,)),
    RefundDenied: Route(after_commit=(ecommerce.email_refund_denied,)),
    ReceiptWanted: Route(after_commit=(ecommerce.email_receipt_again,)),
    # What came by a connection goes with it: no one would ever take it back later.
    ConnectionUndone: Route(within=(b2b.leave_with_connection,)),
    # The rows themselves wait for the course site: their `lms_state` is the queue.
    LearnerEnrolled: Route(),
    LearnerUnenrolled: Route(),
    RunsRequested: Route(),
    ReconcileRequested: Route(after_commit=(b2b_tasks.reconcile_requested,)),
    HoldsEnded: Route(after_commit=(b2b.follow_ended_holds,)),
    HandOutMailsQueued: Route(after_commit=(b2b.send_hand_out_mails,)),
    KeycloakJoinRequested: Route(remote=(b2b_tasks.join_in_keycloak,)),
}
