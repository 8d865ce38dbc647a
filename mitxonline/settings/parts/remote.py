"""How long calls to other systems may take, and when they are paused. Times are in seconds."""

from mitxonline.settings.parts.processes import WEB_THREADS

# The queue of tasks and receivers that call other systems (parts/tasks.py).
REMOTE_QUEUE = "tessera-remote"

# All calls of one page together. After that the page shows what is known, and the worker continues.
REMOTE_PAGE_SECONDS = 3.0
# One call of the worker or a command.
REMOTE_CALL_SECONDS = 20.0
# All calls of one sweep or one delivery together: well below the time limits of tasks.
REMOTE_SWEEP_SECONDS = 60.0

# How many threads of a process may wait for one account, and for all accounts, so that some stay free for other pages.
REMOTE_PAGE_TURNS = max(1, WEB_THREADS // 2)
REMOTE_PAGE_TURNS_IN_ALL = max(1, WEB_THREADS - 1)
# How long a page that needs the answer waits for its turn.
REMOTE_PAGE_QUEUE_SECONDS = 1.0

# After this many timeouts in a row, pause calls for this many seconds.
BREAKER_FAILURES = 3
BREAKER_PAUSE_SECONDS = 15
