from django.db import migrations

# A run never has more active learners than places. Looked at when the transaction commits, with the run locked: of two
# who take the last place at once, the second sees the first.
WATCH = """
CREATE FUNCTION courses_run_has_its_places() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged bigint;
    most integer;
BEGIN
    IF TG_TABLE_NAME = 'courses_courserun' THEN
        judged := NEW.id;
    ELSE
        judged := NEW.run_id;
    END IF;
    SELECT places INTO most FROM courses_courserun WHERE id = judged AND places IS NOT NULL FOR NO KEY UPDATE;
    IF FOUND AND (SELECT count(*) FROM courses_enrollment WHERE run_id = judged AND active) > most THEN
        RAISE EXCEPTION 'run % has more learners than its % places', judged, most
        USING ERRCODE = 'check_violation', CONSTRAINT = 'run_places_are_enough', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER learner_takes_a_place AFTER INSERT ON courses_enrollment
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.active)
EXECUTE FUNCTION courses_run_has_its_places();

CREATE CONSTRAINT TRIGGER learner_takes_a_place_again AFTER UPDATE OF active, run_id ON courses_enrollment
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.active AND (NOT OLD.active OR NEW.run_id <> OLD.run_id))
EXECUTE FUNCTION courses_run_has_its_places();

CREATE CONSTRAINT TRIGGER run_gets_fewer_places AFTER UPDATE OF places ON courses_courserun
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.places IS NOT NULL AND (OLD.places IS NULL OR NEW.places < OLD.places))
EXECUTE FUNCTION courses_run_has_its_places();
"""

LEAVE_ALONE = """
DROP TRIGGER run_gets_fewer_places ON courses_courserun;
DROP TRIGGER learner_takes_a_place_again ON courses_enrollment;
DROP TRIGGER learner_takes_a_place ON courses_enrollment;
DROP FUNCTION courses_run_has_its_places();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0017_places_of_runs"),
    ]

    operations = [migrations.RunSQL(WATCH, LEAVE_ALONE)]
