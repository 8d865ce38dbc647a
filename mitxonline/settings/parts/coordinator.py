"""How deliveries are sent, run and retried. Times in seconds unless the name says otherwise."""

# What a visitor may lose on a broker that doesn't answer, and for how long the process then leaves it alone.
BROKER_SEND_TIMEOUT = 0.4
BROKER_SEND_PAUSE = 15

# A receiver is told to stop at the soft limit and stopped at the hard one. While it runs its lease is renewed from
# beside, three times in its length. So no second worker starts while the first is at it, and what a lost worker or a
# crashed database left is picked up within a minute: a lease, and a round of the sweep.
DELIVERY_SOFT_TIME_LIMIT = 210
DELIVERY_TIME_LIMIT = 240
DELIVERY_LEASE = 30

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
