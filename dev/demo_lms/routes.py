"""What development settings add to the routes, as any installed package may."""

DEMO_ROUTES = {
    "dev.demo_lms.events.TestAsked": [
        "dev.demo_lms.receivers.test_receiver",
        "dev.demo_lms.receivers.test_receiver_exception",
    ],
    "dev.demo_lms.events.CeleryTestAsked": ["dev.demo_lms.receivers.test_celery_signal_task"],
    "dev.demo_lms.events.PurchaseCompleted": [
        "dev.demo_lms.receivers.demo_purchase_complete_order_history",
        "dev.demo_lms.receivers.demo_purchase_complete_send_confirmation_email",
        "dev.demo_lms.receivers.demo_purchase_complete_enroll_in_course",
    ],
}
