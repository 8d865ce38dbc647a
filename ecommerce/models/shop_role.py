"""Roles in the shop that staff gave by hand."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from courses.models import Course
from ecommerce.enums import Role


class ShopRole(models.Model):
    """A person's role, for one course or for the whole shop. Roles by a sign-in are `users.GivenRight` rows instead."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("person"), on_delete=models.CASCADE, related_name="shop_roles"
    )
    role = models.CharField(_("role"), max_length=20, choices=Role)
    course = models.ForeignKey(
        Course,
        verbose_name=_("course"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="shop_roles",
        help_text=_("Leave empty for the whole shop."),
    )
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assigned by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    given_at = models.DateTimeField(_("assigned"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="shop_role_is_known"),
            models.UniqueConstraint(
                fields=["user", "role"], condition=Q(course__isnull=True), name="shop_role_once_for_the_shop"
            ),
            models.UniqueConstraint(
                fields=["user", "role", "course"],
                condition=Q(course__isnull=False),
                name="shop_role_once_per_course",
            ),
        ]
        # What roles allow beyond single tables. Groups can have these permissions too (`ecommerce.roles`).
        permissions = [
            ("cancel_code", _("Can cancel, restore and move registration codes")),
            ("issue_invoice", _("Can create and issue invoices")),
            ("pay_invoice", _("Can record payments of invoices")),
            ("void_invoice", _("Can void and credit invoices")),
            ("view_audit", _("Can see audits")),
            ("view_report", _("Can see reports on money")),
            ("view_codereport", _("Can see reports on codes")),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"
