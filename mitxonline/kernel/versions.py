"""What shared pages show has versions, advanced by the very transaction that changes it (docs/adr/0044).

Triggers on the tables of `settings.VERSIONS` advance them, so bulk updates and SQL by hand count too. Redis vouches for
the versions for a few seconds at a time, so that most pages ask no database; the change takes that back before its
caller goes on.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.signals import setting_changed
from django.db import InterfaceError, OperationalError, connection, models, transaction
from psycopg import sql
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.retry import Retry
from wagtail.models import Site

from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql, limit_waiting, run_sql
from mitxonline.kernel.models import VersionChange
from mitxonline.kernel.redis import connect_redis

logger = logging.getLogger(__name__)

CHANNEL = "tessera_versions"  # of NOTIFY
NOTICE = "tessera versions: "  # begins the notice by which a transaction learns that it advanced a version

_PAUSE = 2.0  # seconds for which readers leave Redis alone after a failure
_AWAY = 10_000  # milliseconds for which the database isn't asked again after a failure
_AWAY_HERE = 4.0  # seconds for which this process leaves it to one thread to ask the database again
_SAFETY = 0.25  # seconds, for clocks that don't tick alike
_SITES = "brand"  # the version of Wagtail's sites
_WORD = re.compile(r"\w+")

# Grants a lease unless something was changed since its reader began. It ends at a time of Redis's clock, so that a
# grant which the network held up can't outlast the change that waited for its end.
_GRANT = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
local now = redis.call('time')
local left = tonumber(ARGV[3]) - now[1] * 1000 - math.floor(now[2] / 1000)
if left <= 0 then return 0 end
redis.call('set', KEYS[2], ARGV[2], 'PX', string.format('%d', left))
redis.call('set', KEYS[3], ARGV[2], 'PX', ARGV[4])
return 1
"""

_state = threading.local()


@dataclass(frozen=True, slots=True)
class Versions:
    """The version of each name, and the next moment at which time alone changes a page."""

    numbers: dict[str, str]
    until: datetime
    fingerprint: str = field(default="", compare=False)

    @classmethod
    def of(cls, numbers: dict[str, str], until: datetime) -> Versions:
        digest = blake2b(repr(sorted(numbers.items())).encode(), digest_size=12).hexdigest()
        return cls(numbers, until, digest)

    def of_names(self, *names: str) -> str:
        """The versions of these names, as a part of a key."""
        return ".".join(self.numbers.get(name, "0") for name in names)

    def to_text(self) -> str:
        return json.dumps([self.numbers, self.until.isoformat()])

    @classmethod
    def from_text(cls, text: str) -> Versions:
        numbers, until = json.loads(text)
        return cls.of(numbers, datetime.fromisoformat(until))


def current_versions(*, now: datetime) -> Versions:
    """Return versions that were current after this call began: from Redis if it may vouch for them, else one query.

    With the database away: the last known ones, for some minutes, and with Redis away too those that this process knew
    last. Raises DatabaseError if none are known.
    """
    known, last, is_away = _ask_redis()
    if known is not None and now < known.until:
        _note_seen(known)
        return known
    if is_redis_paused():
        last, is_away = _last_seen(), is_database_away()
        if is_away and (last is None or now >= last.until):
            raise OperationalError("neither Redis nor the database answers")
    if last is not None and is_away and now < last.until:
        return last
    return renew_versions(now=now, last=last)


def renew_versions(*, now: datetime, last: Versions | None = None) -> Versions:
    """Read the versions and let Redis vouch for them."""
    global _away_until
    if _away_until:
        _away_until = time.monotonic() + _AWAY_HERE  # this thread asks; others needn't wait too
    generation, ends = _read_generation()
    try:
        with limit_waiting(settings.HEALTH_SECONDS):
            versions = read_versions(now=now)
    except (OperationalError, InterfaceError):
        _note_database_away()
        connection.close()  # it may have been cut
        if last is None or now >= last.until:
            raise
        return last
    _away_until = 0.0
    _note_seen(versions)
    if generation:
        _grant(generation, versions, ends)
    return versions


def read_versions(*, now: datetime) -> Versions:
    """The versions in the database; one query, and one more after a change."""
    numbers = dict(fetch_sql("SELECT name, sum(nonce)::text FROM kernel_versionchange GROUP BY name"))
    versions = Versions.of(numbers, now)
    known = _moments.get(versions.fingerprint)
    until = known if known is not None and now < known else find_next_moment(now=now)
    _moments.clear()
    _moments[versions.fingerprint] = until
    return Versions.of(numbers, until)


_moments: dict[str, datetime] = {}  # the next moment, by the fingerprint of the versions it was found at


def find_next_moment(*, now: datetime) -> datetime:
    """The next moment at which time alone may change a page: midnight, or a time in any versioned table.

    At such a moment itself it is the instant after, because some rules include it and others don't.
    """
    parts = [
        sql.SQL("(SELECT min({column}) AS moment FROM {table} WHERE {column} >= %(now)s)").format(
            column=sql.Identifier(column), table=sql.Identifier(table)
        )
        for table, column in _moment_columns()
    ]
    statement = sql.SQL("SELECT min(moment) FROM ({parts}) AS moments").format(parts=sql.SQL(" UNION ALL ").join(parts))
    ((first,),) = fetch_sql(statement, {"now": now})  # type: ignore[arg-type]
    midnight = clock.start_of_day(clock.date_of(now) + timedelta(days=1))
    if first is None or first >= midnight:
        return midnight
    return now + timedelta(microseconds=1) if first <= now else first


@contextmanager
def watch_tables() -> Iterator[set[str]]:
    """Collect the tables without a version that statements in the block name."""
    found: set[str] = set()

    def watch(execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(context["connection"].connection)
        found.update(_unversioned_tables().intersection(_WORD.findall(text)))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(watch):
        yield found


# Changes -----------------------------------------------------------------------------------------------------------


def follow_changes(*, connection: Any, **_kwargs: Any) -> None:
    """Have this connection take back Redis's word as soon as it changed something. Receives `connection_created`."""

    def hear(diagnostic: Any) -> None:
        if not settings.SHARED_PAGES or not (diagnostic.message_primary or "").startswith(NOTICE):
            return
        if connection.in_atomic_block:
            # Before all others, one of which may fail, or take long.
            connection.run_on_commit.insert(0, (set(connection.savepoint_ids), revoke, True))
            if f" {_SITES} " in diagnostic.message_primary:
                # Wagtail forgets its addresses before the commit, and may have read the old ones again since.
                connection.run_on_commit.insert(0, (set(connection.savepoint_ids), _forget_addresses, True))
        else:
            connection.has_changed_versions = True  # the statement isn't committed yet

    connection.connection.add_notice_handler(hear)
    if _revoke_after_statement not in connection.execute_wrappers:
        # At the front, because those who add a wrapper for a while remove the last one.
        connection.execute_wrappers.insert(0, _revoke_after_statement)


def forget_older_addresses(version: str) -> None:
    """Have Wagtail read the sites' addresses again if this version of them is another one than the last.

    It keeps them for an hour, and hears of no change by SQL.
    """
    global _addresses
    if _addresses != version:
        _forget_addresses()
    _addresses = version


_addresses = ""


def _forget_addresses() -> None:
    Site.clear_site_root_paths_cache()


def _revoke_after_statement(
    execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    try:
        return execute(statement, params, many, context)
    finally:
        used = context["connection"]
        if getattr(used, "has_changed_versions", False):
            used.has_changed_versions = False
            revoke()


def advance_versions() -> None:
    """Advance all versions, for changes that ran no trigger."""
    rows = [VersionChange(name=name, nonce=secrets.randbits(60), at=clock.now()) for name in settings.VERSIONS]
    VersionChange.objects.bulk_create(rows)
    transaction.on_commit(revoke)


def compact_versions() -> int:
    """Put old changes together in one row for each name, which changes no version. Return how many rows it makes."""
    return run_sql(
        "WITH old AS (DELETE FROM kernel_versionchange WHERE at < now() - interval '1 day' RETURNING name, nonce, at)"
        " INSERT INTO kernel_versionchange (name, nonce, at) SELECT name, sum(nonce), max(at) FROM old GROUP BY name"
    )


def revoke() -> None:
    """Take back Redis's word for the versions, after a commit. If Redis can't be told, `settle` waits."""
    global _seen
    _seen = None
    began = time.monotonic()
    # Whoever changes much while Redis hangs doesn't wait for it with each commit.
    was_in_vain = getattr(_state, "unsettled", None) is not None and began < _state.tries_again
    if not was_in_vain and _try_to_revoke():
        _state.unsettled = None
        return
    _state.unsettled = time.monotonic() + settings.VERSIONS_LEASE_SECONDS + _SAFETY
    if not was_in_vain:
        _state.tries_again = time.monotonic() + _PAUSE
        logger.warning("Redis can't be told of a change: pages may be old for a few seconds")


def settle() -> None:
    """Before an answer: if Redis couldn't be told of a change, wait until it is or until its word is over by itself."""
    while (until := getattr(_state, "unsettled", None)) is not None:
        if time.monotonic() >= until or _try_to_revoke():
            _state.unsettled = None
            return
        time.sleep(0.1)


def _try_to_revoke() -> bool:
    try:
        # The next reader makes another generation. Deleting works in a full Redis too.
        _client().delete(_key("generation"), _key("known"), _key("last"))
    except (RedisError, OSError):
        return False
    return True


# Redis -------------------------------------------------------------------------------------------------------------


def _ask_redis() -> tuple[Versions | None, Versions | None, bool]:
    """The versions Redis vouches for, the last ones, and whether the database is known to be away."""
    if is_redis_paused():
        return None, None, False
    try:
        known, last, away = _client().mget(_key("known"), _key("last"), _key("away"))
    except (RedisError, OSError) as error:
        pause_redis(error)
        return None, None, False
    if known is not None:
        return Versions.from_text(str(known)), None, False
    return None, Versions.from_text(str(last)) if last is not None else None, away is not None


def _read_generation() -> tuple[str, int]:
    """The generation, and when a lease from now on ends by Redis's clock (Unix time in milliseconds)."""
    if is_redis_paused():
        return "", 0
    try:
        with _client().pipeline(transaction=False) as pipe:
            pipe.set(_key("generation"), secrets.token_hex(8), nx=True)
            pipe.get(_key("generation"))
            pipe.time()
            _set, generation, (seconds, micros) = pipe.execute()
            began = seconds * 1000 + micros // 1000
            return str(generation or ""), began + int(settings.VERSIONS_LEASE_SECONDS * 1000)
    except (RedisError, OSError) as error:
        pause_redis(error)
        return "", 0


def _grant(generation: str, versions: Versions, ends: int) -> None:
    keys = [_key("generation"), _key("known"), _key("last")]
    outage = max(int(settings.SHARED_PAGES_OUTAGE_SECONDS * 1000), 1)
    try:
        _client().eval(_GRANT, len(keys), *keys, generation, versions.to_text(), ends, outage)
    except (RedisError, OSError) as error:
        pause_redis(error)


def _note_database_away() -> None:
    global _away_until
    _away_until = time.monotonic() + _AWAY_HERE
    if is_redis_paused():
        return
    try:
        _client().set(_key("away"), "1", px=_AWAY)
    except (RedisError, OSError) as error:
        pause_redis(error)


_away_until = 0.0
_seen: tuple[float, Versions] | None = None  # the last versions that were current, and when; None after a change here


def is_database_away() -> bool:
    """Whether this process couldn't ask the database just now."""
    return time.monotonic() < _away_until


def _note_seen(versions: Versions) -> None:
    global _seen
    _seen = time.monotonic(), versions


def _last_seen() -> Versions | None:
    seen = _seen
    return seen[1] if seen and time.monotonic() - seen[0] < settings.SHARED_PAGES_OUTAGE_SECONDS else None


_paused_until = 0.0


def is_redis_paused() -> bool:
    return time.monotonic() < _paused_until


def pause_redis(error: Exception) -> None:
    """Go on without Redis for a moment: its versions come from the database then."""
    global _paused_until
    _paused_until = time.monotonic() + _PAUSE
    logger.warning("Redis is away, shared pages ask the database", extra={"error": type(error).__name__})


def _key(name: str) -> str:
    # The database's name, because several may use one Redis; braces keep the keys on one node of a cluster.
    return f"{{{settings.VERSIONS_KEY}:{connection.settings_dict['NAME']}}}:{name}"


def _client() -> Redis:
    return redis_client(settings.REDIS_URL, settings.VERSIONS_PATIENCE_SECONDS)


@cache
def redis_client(url: str, patience: float) -> Redis:
    # One retry, because a pooled connection may be from before a restart of Redis; none of what took too long.
    return connect_redis(
        url,
        socket_connect_timeout=patience,
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
        decode_responses=True,
    )


# Models ------------------------------------------------------------------------------------------------------------


@cache
def versioned_models() -> dict[str, list[type[models.Model]]]:
    """The models of each version. Raises LookupError for a name that is no model."""
    by_label = {model._meta.label: model for model in apps.get_models(include_auto_created=True)}
    return {name: [by_label[label] for label in labels] for name, labels in settings.VERSIONS.items()}


@cache
def _unversioned_tables() -> frozenset[str]:
    versioned = {model._meta.db_table for each in versioned_models().values() for model in each}
    every = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    return frozenset(every - versioned)


@cache
def _moment_columns() -> tuple[tuple[str, str], ...]:
    return tuple(
        (model._meta.db_table, str(column.column))
        for each in versioned_models().values()
        for model in each
        for column in model._meta.local_fields
        if isinstance(column, models.DateTimeField) and not (column.auto_now or column.auto_now_add)
    )


def _forget_models(*, setting: str, **_kwargs: Any) -> None:
    if setting == "VERSIONS":
        for each in (versioned_models, _unversioned_tables, _moment_columns):
            each.cache_clear()


setting_changed.connect(_forget_models, dispatch_uid="versions")
