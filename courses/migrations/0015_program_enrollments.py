"""Programs that learners have on their lists. No account that was deleted gets one."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REFUSE = """
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON courses_programenrollment
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
"""
ALLOW = "DROP TRIGGER account_is_not_deleted ON courses_programenrollment;"


class Migration(migrations.Migration):

    dependencies = [
        ('courses', '0014_country_of_courses'),
        ('users', '0009_deleted_accounts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ProgramEnrollment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('enrolled_at', models.DateTimeField(verbose_name='enrolled')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='program_enrollments', to='courses.program', verbose_name='program')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='program_enrollments', to=settings.AUTH_USER_MODEL, verbose_name='learner')),
            ],
            options={
                'verbose_name': 'program enrollment',
                'verbose_name_plural': 'program enrollments',
                'ordering': ['-enrolled_at', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('user', 'program'), name='program_enrollment_once_per_learner')],
            },
        ),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
