"""Whose withdrawal it is: what staff withdrew, only staff lift. Until now only staff could withdraw."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("b2b", "0004_hand_outs_and_withdrawals")]

    operations = [
        migrations.AddField(
            model_name="withdrawal",
            name="authority",
            field=models.CharField(
                choices=[("staff", "Staff"), ("manager", "A manager of the organization")],
                default="staff",
                max_length=20,
                verbose_name="on the authority of",
            ),
        ),
        migrations.AddConstraint(
            model_name="withdrawal",
            constraint=models.CheckConstraint(
                condition=models.Q(("authority__in", ["staff", "manager"])), name="withdrawal_names_its_authority"
            ),
        ),
    ]
