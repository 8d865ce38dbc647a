from django.db import migrations

# Names the schema of the table, because `pg_restore --data-only` and careful SQL by hand run with an empty search_path.
FUNCTION = """
CREATE OR REPLACE FUNCTION kernel_advance_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    setting text := 'tessera.advanced_' || TG_ARGV[0];
    this text := pg_current_xact_id()::text;
BEGIN
    IF current_setting(setting, true) IS DISTINCT FROM this THEN
        PERFORM set_config(setting, this, true);
        EXECUTE format('INSERT INTO %I.kernel_versionchange (name, nonce, at) VALUES ($1, $2, now())', TG_TABLE_SCHEMA)
            USING TG_ARGV[0], ('x' || substr(md5(gen_random_uuid()::text), 1, 15))::bit(60)::bigint;
        PERFORM pg_notify('tessera_versions', '');
        RAISE INFO 'tessera versions: % changed', TG_ARGV[0];
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_versions")]
    operations = [migrations.RunSQL(FUNCTION, migrations.RunSQL.noop)]
