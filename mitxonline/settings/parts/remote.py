"""How long we wait for others, and when we stop asking them. Times in seconds."""

from mitxonline.settings.env import env

# What calls others is done from this queue (settings/parts/tasks.py).
REMOTE_QUEUE = "tessera-remote"

# All calls of one page together. Then it says what is known, and the worker goes on.
REMOTE_PAGE_SECONDS = 3.0
# One call of the worker or of a command.
REMOTE_CALL_SECONDS = 20.0
# All calls of one sweep or one delivery together; well below every time limit of the worker's tasks.
REMOTE_SWEEP_SECONDS = 60.0

# Of a process's threads only so many wait for one account at once, and not all of them for all accounts.
_THREADS = int(env.str("WEB_THREADS", "") or 4)
REMOTE_PAGE_TURNS = max(1, _THREADS // 2)
REMOTE_PAGE_TURNS_IN_ALL = max(1, _THREADS - 1)
# The others wait so long for their turn where they need the answer.
REMOTE_PAGE_QUEUE_SECONDS = 1.0

# So many silences in a row, then no one asks for so long.
BREAKER_FAILURES = 3
BREAKER_PAUSE = 15
