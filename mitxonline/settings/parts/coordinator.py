"""How deliveries are sent, run and retried. Times are in seconds unless the name says otherwise."""

# How long a visitor waits for a broker that doesn't answer, and how long the process then leaves it alone.
BROKER_SEND_TIMEOUT = 0.4
BROKER_SEND_PAUSE = 15

# A receiver gets an exception at the soft limit and is killed at the hard one. While it runs, a thread renews its lease
# three times per lease. So no second worker starts what the first is doing, and what a lost worker or a crashed
# database left is picked up within a minute: after the lease and a round of the sweep.
DELIVERY_SOFT_TIME_LIMIT = 210
DELIVERY_TIME_LIMIT = 240
DELIVERY_LEASE = 30

# 5, 10, 20 … seconds between attempts, at most an hour. Thirty attempts bridge an outage of more than a day.
DELIVERY_MAX_ATTEMPTS = 30
DELIVERY_BACKOFF = 5
DELIVERY_BACKOFF_MAX = 3600

# A task counts as lost after this time if its queue is empty, or after so long in any case.
DELIVERY_LOST_AFTER = 30
DELIVERY_RESEND_AFTER = 600
DELIVERY_SWEEP_SIZE = 1000
# For so long, a worker that has made a delivery takes further ones out of the queue itself.
DELIVERY_TAKE_SECONDS = 1
DELIVERY_RETENTION_DAYS = 30
DELIVERY_PURGE_SIZE = 1000  # rows in one transaction

# Receivers that were moved, by the paths under which deliveries of the last release know them.
MOVED_RECEIVERS = {
    "b2b.tasks.join_in_keycloak": "b2b.receivers.join_in_keycloak",
    "b2b.tasks.reconcile_requested": "b2b.receivers.reconcile_contract",
    "ecommerce.webhooks.notice_received": "ecommerce.receivers.process_received_notice",
}

DELIVERY_BEAT_SCHEDULE = {
    "sweep-deliveries": {"task": "mitxonline.coordinator.tasks.sweep_deliveries", "schedule": 20.0},
    "purge-deliveries": {"task": "mitxonline.coordinator.tasks.purge_deliveries", "schedule": 6 * 3600.0},
}
