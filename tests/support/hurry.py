"""Settings with which what is lost is found within seconds, for tests and the processes they start."""

HURRY = {
    "DELIVERY_LEASE": 4,
    "DELIVERY_BACKOFF": 1,
    "DELIVERY_BACKOFF_MAX": 2,
    "DELIVERY_LOST_AFTER": 2,
    "DELIVERY_RESEND_AFTER": 5,
}
