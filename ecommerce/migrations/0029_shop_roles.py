"""Roles in the shop. No account that was deleted gets one."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


REFUSE = """
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON ecommerce_shoprole
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
"""
ALLOW = "DROP TRIGGER account_is_not_deleted ON ecommerce_shoprole;"


class Migration(migrations.Migration):

    dependencies = [
        ('courses', '0011_compare_enrollments'),
        ('ecommerce', '0028_seat_sales'),
        ('users', '0009_deleted_accounts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ShopRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('finance_admin', 'Finance administrator'), ('sales_admin', 'Sales administrator')], max_length=20, verbose_name='role')),
                ('given_at', models.DateTimeField(verbose_name='assigned')),
                ('course', models.ForeignKey(blank=True, help_text='Leave empty for the whole shop.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='shop_roles', to='courses.course', verbose_name='course')),
                ('given_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='assigned by')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shop_roles', to=settings.AUTH_USER_MODEL, verbose_name='person')),
            ],
            options={
                'verbose_name': 'role',
                'verbose_name_plural': 'roles',
                'ordering': ['-given_at', '-pk'],
                'permissions': [('cancel_code', 'Can cancel, restore and move registration codes'), ('issue_invoice', 'Can create and issue invoices'), ('pay_invoice', 'Can record payments of invoices'), ('void_invoice', 'Can void and credit invoices'), ('view_audit', 'Can see audits'), ('view_report', 'Can see reports on money'), ('view_codereport', 'Can see reports on codes')],
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['finance_admin', 'sales_admin'])), name='shop_role_is_known'), models.UniqueConstraint(condition=models.Q(('course__isnull', True)), fields=('user', 'role'), name='shop_role_once_for_the_shop'), models.UniqueConstraint(condition=models.Q(('course__isnull', False)), fields=('user', 'role', 'course'), name='shop_role_once_per_course')],
            },
        ),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
