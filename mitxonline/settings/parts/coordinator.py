"""How deliveries are sent, run and retried. Times in seconds unless the name says otherwise."""

# What a visitor may lose on a broker that doesn't answer, and for how long the process then leaves it alone.
BROKER_SEND_TIMEOUT = 0.4
BROKER_SEND_PAUSE = 15

# A receiver is told to stop at the soft limit and stopped at the hard one. The lease outlives both, so that
# no second worker starts while the first may still be at it; the broker's visibility timeout outlives the
# lease.
DELIVERY_SOFT_TIME_LIMIT = 210
DELIVERY_TIME_LIMIT = 240
DELIVERY_LEASE = 300

# 5, 10, 20 … seconds between attempts, at most an hour: thirty attempts carry over a day without the other
# side.
DELIVERY_MAX_ATTEMPTS = 30
DELIVERY_BACKOFF = 5
DELIVERY_BACKOFF_MAX = 3600

DELIVERY_RESEND_AFTER = 600  # how long a task may wait in the broker's queue before it counts as lost
DELIVERY_SWEEP_SIZE = 1000
DELIVERY_RETENTION_DAYS = 30

DELIVERY_BEAT_SCHEDULE = {
    "sweep-deliveries": {"task": "mitxonline.coordinator.tasks.sweep_deliveries", "schedule": 20.0},
    "purge-deliveries": {"task": "mitxonline.coordinator.tasks.purge_deliveries", "schedule": 6 * 3600.0},
}
