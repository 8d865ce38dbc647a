"""What finance is told, what cost nothing and was undone, and books that follow money both ways."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ecommerce', '0010_promised_codes'),
    ]

    operations = [
        migrations.CreateModel(
            name='MoneyAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('review', 'In review'), ('second_payment', 'Paid twice'), ('dispute', 'Disputed'), ('dispute_lost', 'Dispute lost'), ('refund_failed', 'Refund failed'), ('refund_differs', 'Refund differs'), ('refund_twice', 'Refunded twice at the gateway')], max_length=30, verbose_name='what')),
                ('about', models.CharField(max_length=100, verbose_name='about')),
                ('raised_at', models.DateTimeField(verbose_name='raised')),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='being mailed since')),
                ('mailed_at', models.DateTimeField(blank=True, null=True, verbose_name='mailed')),
            ],
            options={
                'verbose_name': 'message to finance',
                'verbose_name_plural': 'messages to finance',
                'ordering': ['raised_at', 'pk'],
            },
        ),
        migrations.AddField(
            model_name='orderline',
            name='undone_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='When staff took back what had cost nothing.', null=True, verbose_name='undone'),
        ),
        migrations.AddField(
            model_name='paymentattempt',
            name='refund_gap',
            field=models.DecimalField(db_default=0, decimal_places=3, default=0, editable=False, help_text='The gateway’s sum of refunds less ours, in the currency that was paid.', max_digits=12, verbose_name='given back there and not booked here'),
        ),
        migrations.AddField(
            model_name='shopsettings',
            name='after_failed_refund',
            field=models.CharField(choices=[('restore', 'Open them again until the money goes back'), ('stay_closed', 'Leave them closed')], db_default='restore', default='restore', help_text='The bank sent the money back to us, after the courses had been taken away.', max_length=20, verbose_name='courses after a refund that didn’t arrive'),
        ),
        migrations.AddField(
            model_name='shopsettings',
            name='after_lost_dispute',
            field=models.CharField(choices=[('remove', 'Take the course away'), ('audit', 'Leave it for auditing'), ('keep', 'Leave everything as it is')], db_default='remove', default='remove', help_text='The buyer’s bank took the whole price back. Where it took a part, courses stay as they are.', max_length=20, verbose_name='courses after a lost dispute'),
        ),
        migrations.AddField(
            model_name='shopsettings',
            name='finance_email',
            field=models.EmailField(blank=True, help_text='Orders in review, second payments, disputes, failed refunds. Empty: the people who may refund orders.', max_length=254, verbose_name='address told of money that needs a decision'),
        ),
        migrations.AlterField(
            model_name='order',
            name='review_cause',
            field=models.CharField(blank=True, choices=[('paid_after_hold', 'Paid after its codes and seats were free again'), ('amount_differs', 'Another amount came than was asked for'), ('currency_differs', 'Another currency came than was asked for'), ('has_course', 'The buyer already has the course'), ('code_gone', 'Its code is no longer available'), ('code_use_missing', 'The use of its code isn’t this order’s'), ('refused', 'A rule refused it'), ('in_doubt', 'The payment is in doubt'), ('unknown_session', 'Its money came by a payment page we didn’t open'), ('refund_failed', 'A refund didn’t arrive, and the courses are closed'), ('payment_missing', 'The gateway doesn’t know the payment')], db_default='', default='', max_length=40, verbose_name='in review because'),
        ),
        migrations.AlterField(
            model_name='refund',
            name='origin',
            field=models.CharField(choices=[('ours', 'Here'), ('provider', 'At the gateway'), ('bank', 'By the buyer’s bank')], default='ours', max_length=20, verbose_name='begun'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('undone_at__isnull', True), ('due', 0), _connector='OR'), name='order_line_with_a_price_is_refunded'),
        ),
        migrations.AddField(
            model_name='moneyalert',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='money_alerts', to='ecommerce.order', verbose_name='order'),
        ),
        migrations.AddIndex(
            model_name='moneyalert',
            index=models.Index(condition=models.Q(('mailed_at', None)), fields=['raised_at'], name='alert_to_be_mailed'),
        ),
        migrations.AddConstraint(
            model_name='moneyalert',
            constraint=models.UniqueConstraint(fields=('order', 'kind', 'about'), name='alert_once'),
        ),
    ]
