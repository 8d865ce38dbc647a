"""What a worker does for each delivery, as functions: their plans are kept by the session, also behind a pooler."""

from django.db import migrations

# Never tried, and no others to wait for: nearly all of them. A CASE, because the planner compares plain conditions with
# those of every partial index. The attempt is opened with the claim, so that one whose worker is killed is in the
# history too.
CLAIM_FRESH = """
CREATE FUNCTION coordinator_claim_fresh(
    its_id bigint, moment timestamptz, soon timestamptz, lease timestamptz, its_process text
) RETURNS SETOF coordinator_delivery LANGUAGE plpgsql AS $$
DECLARE
    claimed coordinator_delivery;
BEGIN
    UPDATE coordinator_delivery
    SET state = 'running', attempts = 1, lease_until = lease, sent_at = NULL
    WHERE id = its_id AND CASE
        WHEN state = 'pending' AND attempts = 0 AND order_key = '' THEN next_attempt_at <= soon ELSE false
    END
    RETURNING * INTO claimed;
    IF FOUND THEN
        INSERT INTO coordinator_deliveryattempt (delivery_id, number, started_at, process, outcome, result)
        VALUES (its_id, 1, moment, its_process, 'running', '')
        ON CONFLICT DO NOTHING;
        RETURN NEXT claimed;
    END IF;
END
$$;
"""

# Only if the lease is still that of this attempt: `attempts` distinguishes it from a later one. The attempt is closed
# in any case: what was done after the lease was done. A lease means that it runs (`delivery_lease_while_running`); with
# the state in the condition the database may read the index of states, with all that ran since it was vacuumed.
END = """
CREATE FUNCTION coordinator_end_attempt(
    its_id bigint, its_number integer, its_state text, error text, finished timestamptz, next timestamptz,
    its_outcome text, moment timestamptz, its_result text
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    is_ours boolean;
BEGIN
    UPDATE coordinator_delivery
    SET state = its_state, last_error = error, lease_until = NULL, sent_at = NULL, finished_at = finished,
        next_attempt_at = coalesce(next, next_attempt_at)
    WHERE id = its_id AND lease_until IS NOT NULL AND attempts = its_number;
    is_ours := FOUND;
    UPDATE coordinator_deliveryattempt
    SET outcome = its_outcome, ended_at = moment, result = its_result,
        next_attempt_at = CASE WHEN is_ours THEN next END
    WHERE delivery_id = its_id AND number = its_number;
    RETURN is_ours;
END
$$;
"""

DROP_CLAIM_FRESH = "DROP FUNCTION coordinator_claim_fresh(bigint, timestamptz, timestamptz, timestamptz, text);"
DROP_END = (
    "DROP FUNCTION coordinator_end_attempt("
    "bigint, integer, text, text, timestamptz, timestamptz, text, timestamptz, text);"
)


class Migration(migrations.Migration):
    dependencies = [("coordinator", "0005_find_deliveries_by_payload")]

    operations = [
        migrations.RunSQL(CLAIM_FRESH, DROP_CLAIM_FRESH),
        migrations.RunSQL(END, DROP_END),
    ]
