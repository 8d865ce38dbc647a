"""Putting a cloned database back to what it was, without copying it again.

A clone is a thousand files, and making them takes most of a second on some file systems; a test changes a dozen
tables. So the template keeps a copy of its few rows in a schema of its own. After a test, tables with other rows
get them back, and sequences start where they started.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

Server = psycopg.Connection[Any]

# Deleted rows stay in the file, and the next tests would read past them.
WORTH_VACUUMING = 1_000_000  # bytes

STRUCTURE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT concat_ws(' ', c.oid, c.relname, a.attname, a.atttypid, a.attnotnull) AS line
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
) AS lines (line)
"""


def remember(server: Server) -> None:
    """Keep the rows, the sequences and a digest of the structure of the database this connection is for."""
    server.execute("CREATE SCHEMA original")
    for table in _tables(server):
        if server.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(_public(table))).fetchone() == (True,):
            server.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(_original(table), _public(table)))
    server.execute(
        "CREATE TABLE original._sequences AS"
        " SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
    )
    server.execute(f"CREATE TABLE original._structure AS {STRUCTURE}")


def restore(server: Server) -> bool:
    """Undo every change since `remember`; False, with nothing done, where a test changed the structure."""
    server.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    if server.execute(f"SELECT ({STRUCTURE}) = (TABLE original._structure)").fetchone() != (True,):
        return False
    kept = {row[0] for row in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'original'")}
    changed = _changed_tables(server, kept)
    with server.transaction():
        # No foreign key and no trigger has a say: the rows come back as they were, in any order.
        server.execute("SET LOCAL session_replication_role = replica")
        for table in changed:
            server.execute(sql.SQL("DELETE FROM {}").format(_public(table)))
            if table in kept:
                _refill(server, table)
        server.execute(
            "SELECT setval(format('public.%I', sequencename)::regclass,"
            " coalesce(o.last_value, s.start_value), o.last_value IS NOT NULL)"
            " FROM pg_sequences s JOIN original._sequences o USING (sequencename)"
            " WHERE s.schemaname = 'public' AND s.last_value IS DISTINCT FROM o.last_value"
        )
    for table in changed:
        size = server.execute("SELECT pg_relation_size(%s::regclass)", [f'public."{table}"']).fetchone()
        if size and size[0] > WORTH_VACUUMING:
            server.execute(sql.SQL("VACUUM {}").format(_public(table)))
    return True


def _tables(server: Server) -> list[str]:
    rows = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [row[0] for row in rows]


def _changed_tables(server: Server, kept: set[str]) -> list[str]:
    """Every table is looked at in one statement: its first row, or all of them where the template has some."""
    questions = [
        # As text, because not every type can be compared; in both directions, because rows may be gone or new.
        sql.SQL(
            "SELECT {name} WHERE EXISTS (SELECT t::text FROM {now} t EXCEPT ALL SELECT t::text FROM {then} t)"
            " OR EXISTS (SELECT t::text FROM {then} t EXCEPT ALL SELECT t::text FROM {now} t)"
        ).format(name=table, now=_public(table), then=_original(table))
        if table in kept
        else sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(table, _public(table))
        for table in _tables(server)
    ]
    return [row[0] for row in server.execute(sql.SQL(" UNION ALL ").join(questions))]


def _refill(server: Server, table: str) -> None:
    rows = server.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [f'public."{table}"'],
    )
    columns = sql.SQL(", ").join(sql.Identifier(row[0]) for row in rows)
    server.execute(
        sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
            _public(table), _original(table), columns=columns
        )
    )


def _public(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)


def _original(table: str) -> sql.Identifier:
    return sql.Identifier("original", table)
