from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cms", "0001_initial")]

    operations = [
        migrations.RenameField("sitebrand", "brand_colour", "brand_color"),
        migrations.RenameField("sitebrand", "accent_colour", "accent_color"),
    ]
