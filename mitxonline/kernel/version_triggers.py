"""Triggers that advance versions. After each `migrate` every table of `settings.VERSIONS` has them, and no other."""

from __future__ import annotations

from typing import Any

from django.db import connections, models, transaction
from psycopg import sql

from mitxonline.kernel.versions import versioned_models

NAME = "kernel_version"
_EVENTS = {
    # Rows that a statement leaves as they were, and statements without rows, change nothing. Compared bit by bit, which
    # works for columns that have no equality.
    "insert": "AFTER INSERT ON {table} FOR EACH ROW",
    "update": "AFTER UPDATE ON {table} FOR EACH ROW WHEN (OLD.* *<> NEW.*)",
    # In place of "update" where drafts are stored, which editors' browsers do every few seconds and no visitor sees.
    "publish": "AFTER UPDATE ON {table} FOR EACH ROW"
    " WHEN ((to_jsonb(OLD) - {drafts}::text[]) IS DISTINCT FROM (to_jsonb(NEW) - {drafts}::text[]))",
    "delete": "AFTER DELETE ON {table} FOR EACH ROW",
    "truncate": "AFTER TRUNCATE ON {table} FOR EACH STATEMENT",
}

_DRAFT_COLUMNS = {"draft_title", "has_unpublished_changes", "latest_revision_id", "latest_revision_created_at"}


def install_triggers(*, using: str = "default", **_kwargs: Any) -> None:
    """Create the triggers that are missing and drop those that aren't wanted. Receives `post_migrate`.

    A table that has them isn't locked.
    """
    wanted = {
        (model._meta.db_table, f"{NAME}_{event}", name)
        for name, listed in versioned_models().items()
        for model in listed
        for event in _EVENTS.keys() - {"update" if _has_drafts(model) else "publish"}
    }
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('kernel_advance_version()') IS NULL")
        if cursor.fetchone() == (True,):
            return  # migrated backwards
        cursor.execute(
            "SELECT c.relname, t.tgname, encode(t.tgargs, 'escape') FROM pg_trigger t"
            " JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname LIKE %s AND NOT t.tgisinternal"
            " AND c.relnamespace = current_schema()::regnamespace",
            [rf"{NAME}\_%"],
        )
        present = {(table, trigger, arguments.removesuffix(r"\000")) for table, trigger, arguments in cursor.fetchall()}
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        tables = {table for (table,) in cursor.fetchall()}
        for table, trigger, _name in sorted(present - wanted):
            cursor.execute(
                sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(trigger), sql.Identifier(table)),
            )
        for table, trigger, name in sorted(wanted - present):
            if table in tables:  # not while an app is migrated backwards
                cursor.execute(_creation(table, trigger, name))


def _has_drafts(model: type[models.Model]) -> bool:
    return {field.column for field in model._meta.local_concrete_fields} >= _DRAFT_COLUMNS


def _creation(table: str, trigger: str, name: str) -> sql.Composed:
    event = sql.SQL(_EVENTS[trigger.rpartition("_")[2]]).format(
        table=sql.Identifier(table), drafts=sql.Literal(sorted(_DRAFT_COLUMNS))
    )
    return sql.SQL("CREATE TRIGGER {trigger} {event} EXECUTE FUNCTION kernel_advance_version({name})").format(
        trigger=sql.Identifier(trigger), event=event, name=sql.Literal(name)
    )
