"""Which receivers get which event, in which order and on which side of the commit.

`within` receivers share the publisher's transaction and may refuse it. `after_commit` receivers are recorded as
deliveries in that transaction and called by a worker. Those that call a gateway, Keycloak or a course site are
`remote`: they have a queue of their own, so that nothing waits behind them.
"""

from b2b import receivers as b2b
from b2b.events import (
    ExampleRequested,
    HandOutMailsQueued,
    HelperNamed,
    HoldsEnded,
    KeycloakJoinRequested,
    ReconcileRequested,
    SeatRequestClosed,
    SeatsRequested,
)
from cms import receivers as cms
from cms.events import SearchTextsChanged
from courses import receivers as courses
from courses.events import (
    EnrollmentAskedAgain,
    LearnerEnrolled,
    LearnerUnenrolled,
    RequirementsChanged,
    RunRequested,
    RunsRequested,
)
from ecommerce import receivers as ecommerce
from ecommerce.events import (
    CreditNoteIssued,
    FreeLinesUndone,
    InvoiceIssued,
    InvoiceMailWanted,
    InvoiceReminderDue,
    InvoiceVoided,
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
    RegistrationCodesSwitched,
    SeatMoved,
    SeatsChangedBuyer,
    SeatTakenFromLearner,
)
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.routes import Route
from mitxonline.users import receivers as users
from mitxonline.users.events import AccountClosed, AccountMailQueued, ConnectionUndone

ROUTES: dict[type[Event], Route] = {
    AccountMailQueued: Route(after_commit=(users.send_account_mail,)),
    # In the order of the locks: carts and orders, seats, enrollments, then the codes that keep the old address.
    AccountClosed: Route(
        within=(
            ecommerce.close_buyer,
            b2b.leave_with_account,
            courses.end_courses,
            ecommerce.forget_address,
            b2b.forget_address,
        )
    ),
    # In one transaction with the fulfillment: no order is fulfilled without its courses and seats.
    OrderFulfilled: Route(
        within=(ecommerce.enroll_buyer, b2b.claim_seats),
        after_commit=(ecommerce.email_receipt,),
    ),
    LinkBasketClaimed: Route(within=(b2b.apply_given_codes,)),
    OrderClosed: Route(within=(b2b.release_seats,)),
    OrderInReview: Route(
        within=(b2b.release_seats, ecommerce.tell_finance_of_review), after_commit=(ecommerce.email_review,)
    ),
    # Calls the gateway.
    NoticeReceived: Route(remote=(ecommerce.process_received_notice,)),
    PaymentDeclined: Route(after_commit=(ecommerce.email_payment_failed,)),
    LinesRefunded: Route(within=(b2b.free_seats_after_refund,)),
    # In one transaction with opening the courses again: the seat is claimed too, or neither happens.
    LinesRestored: Route(within=(b2b.claim_seats,)),
    RefundFailed: Route(after_commit=(ecommerce.email_refund_failed,)),
    FreeLinesUndone: Route(after_commit=(ecommerce.email_free_lines_undone,)),
    # What was handed out ends with its code.
    RegistrationCodesSwitched: Route(within=(b2b.follow_switched_codes,)),
    SeatTakenFromLearner: Route(after_commit=(ecommerce.email_seat_taken,)),
    SeatMoved: Route(after_commit=(ecommerce.email_seat_moved,)),
    PaidTwice: Route(after_commit=(ecommerce.email_paid_twice,)),
    MoneyReturned: Route(after_commit=(ecommerce.email_refund,)),
    RefundAsked: Route(after_commit=(ecommerce.email_refund_asked, ecommerce.email_refund_request)),
    RefundDenied: Route(after_commit=(ecommerce.email_refund_denied,)),
    ReceiptWanted: Route(after_commit=(ecommerce.email_receipt_again,)),
    # Remove what the connection granted now; no later sign-in would.
    ConnectionUndone: Route(within=(b2b.leave_with_connection,)),
    # Calls the course site, in order for each enrollment.
    LearnerEnrolled: Route(remote=(courses.tell_course_site,)),
    LearnerUnenrolled: Route(remote=(courses.tell_course_site,)),
    EnrollmentAskedAgain: Route(remote=(courses.tell_course_site,)),
    # A contract's runs are requested together, and made in Studio one by one.
    RunsRequested: Route(after_commit=(courses.request_each_run,)),
    RunRequested: Route(remote=(courses.bring_run_to_studio,)),
    ReconcileRequested: Route(after_commit=(b2b.reconcile_contract,)),
    HoldsEnded: Route(after_commit=(b2b.follow_ended_holds,)),
    HandOutMailsQueued: Route(after_commit=(b2b.send_hand_out_mails,)),
    ExampleRequested: Route(after_commit=(b2b.email_example,)),
    HelperNamed: Route(after_commit=(b2b.tell_helper,)),
    SeatsRequested: Route(after_commit=(b2b.tell_staff_of_seat_request,)),
    SeatRequestClosed: Route(after_commit=(b2b.tell_manager_of_answer,)),
    KeycloakJoinRequested: Route(remote=(b2b.join_in_keycloak,)),
    InvoiceIssued: Route(after_commit=(ecommerce.email_invoice,)),
    InvoiceMailWanted: Route(after_commit=(ecommerce.email_invoice_again,)),
    CreditNoteIssued: Route(after_commit=(ecommerce.email_credit_note,)),
    InvoiceVoided: Route(after_commit=(ecommerce.email_voided_invoice,)),
    # What the former buyer shared ends with the change, in one transaction.
    SeatsChangedBuyer: Route(within=(b2b.end_sharing,)),
    InvoiceReminderDue: Route(after_commit=(ecommerce.email_invoice_reminder,)),
    # What visitors find is what pages show.
    RequirementsChanged: Route(within=(cms.refresh_program,)),
    SearchTextsChanged: Route(after_commit=(cms.refresh_search,)),
}
