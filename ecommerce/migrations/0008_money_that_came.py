"""The money that came, in the currency it came in, and refunds that aren’t what was asked for."""

from django.conf import settings
from django.db import migrations, models


# Until now an amount was kept only where it came in the currency that was asked for …
SAME_CURRENCY = """
UPDATE ecommerce_paymentattempt SET paid_currency = currency WHERE paid_amount IS NOT NULL
"""
# … and of any other money there is only the note "paid 700000 JPY".
OTHER_CURRENCY = r"""
UPDATE ecommerce_paymentattempt AS attempt
SET paid_amount = told.found[1]::numeric, paid_currency = told.found[2]
FROM (
    SELECT id, regexp_match(note, '^paid (\d{1,9}(?:\.\d{1,3})?) ([A-Z]{3})$') AS found
    FROM ecommerce_paymentattempt WHERE state = 'paid' AND paid_amount IS NULL
) AS told
WHERE told.id = attempt.id AND told.found IS NOT NULL AND attempt.refunded <= told.found[1]::numeric
"""
# What waits for a decision to go back is all of what came, so that it isn't sent back in the currency asked for.
WAITING_REFUNDS = """
UPDATE ecommerce_refund AS refund SET amount = attempt.paid_amount - attempt.refunded, currency = attempt.paid_currency
FROM ecommerce_paymentattempt AS attempt
WHERE attempt.id = refund.attempt_id AND refund.state = 'marked' AND attempt.paid_currency NOT IN ('', refund.currency)
AND attempt.paid_amount > attempt.refunded
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ecommerce', '0007_why_orders_are_in_review'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='refund',
            name='refund_without_an_end',
        ),
        migrations.AddField(
            model_name='paymentattempt',
            name='paid_currency',
            field=models.CharField(blank=True, db_default='', default='', help_text='The currency of what came, which needn’t be the one that was asked for.', max_length=3, verbose_name='currency paid'),
        ),
        migrations.AddField(
            model_name='refund',
            name='told_amount',
            field=models.DecimalField(blank=True, decimal_places=3, editable=False, help_text='What the gateway says goes back, where that isn’t what was asked for.', max_digits=12, null=True, verbose_name='went back instead'),
        ),
        migrations.AddField(
            model_name='refund',
            name='told_currency',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=3, verbose_name='currency of that'),
        ),
        migrations.AlterField(
            model_name='refund',
            name='state',
            field=models.CharField(choices=[('marked', 'Waiting for a decision'), ('recorded', 'Recorded'), ('sent', 'Sent to the gateway'), ('pending', 'On its way'), ('differs', 'Another amount than was asked for'), ('succeeded', 'Given back'), ('failed', 'Failed'), ('canceled', 'Canceled')], default='recorded', max_length=20, verbose_name='state'),
        ),
        migrations.RunSQL([SAME_CURRENCY, OTHER_CURRENCY, WAITING_REFUNDS], migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(condition=models.Q(('state__in', ('recorded', 'sent', 'differs', 'pending'))), fields=['recorded_at'], name='refund_without_an_end'),
        ),
        migrations.AddConstraint(
            model_name='paymentattempt',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('paid_amount__isnull', True), ('paid_currency', '')), models.Q(('paid_amount__isnull', False), models.Q(('paid_currency', ''), _negated=True)), _connector='OR'), name='attempt_paid_amount_has_its_currency'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('told_amount__isnull', True), ('told_currency', '')), models.Q(('told_amount__isnull', False), models.Q(('told_currency', ''), _negated=True)), _connector='OR'), name='refund_told_amount_has_its_currency'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'differs'), _negated=True), ('told_amount__isnull', False), _connector='OR'), name='refund_that_differs_says_what_went_back'),
        ),
    ]
