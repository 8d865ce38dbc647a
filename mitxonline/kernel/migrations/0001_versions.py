from django.db import migrations, models

# Adds a row for each transaction that changes what a version is about. A row instead of a counter, because transactions
# would wait for each other, and for each other's order, at a counter. A version is the sum of the random numbers: it
# differs after each commit, in whatever order they come, and after a restored backup.
# The setting ends with the transaction, and with a savepoint that is rolled back, like the row.
FUNCTION = """
CREATE FUNCTION kernel_advance_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    setting text := 'tessera.advanced_' || TG_ARGV[0];
    this text := pg_current_xact_id()::text;
BEGIN
    IF current_setting(setting, true) IS DISTINCT FROM this THEN
        PERFORM set_config(setting, this, true);
        INSERT INTO kernel_versionchange (name, nonce, at)
            VALUES (TG_ARGV[0], ('x' || substr(md5(gen_random_uuid()::text), 1, 15))::bit(60)::bigint, now());
        PERFORM pg_notify('tessera_versions', '');
        RAISE INFO 'tessera versions: % changed', TG_ARGV[0];
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="VersionChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                ("nonce", models.DecimalField(decimal_places=0, max_digits=40)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION kernel_advance_version() CASCADE"),
    ]
