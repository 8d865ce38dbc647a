"""Pages that sell one product."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from cms.blocks.streams import ContentBlocks
from cms.models.base import PublicPageManager, SitePage
from cms.models.forms import SubjectPageForm
from cms.models.keyed import FolderPage
from ecommerce.models import Product


class ProductIndexPage(FolderPage):
    parent_page_types: ClassVar[list[str]] = ["cms.HomePage"]
    subpage_types: ClassVar[list[str]] = ["cms.ProductPage"]
    max_count_per_parent = 1

    class Meta:
        verbose_name = _("folder of product pages")
        verbose_name_plural = _("folders of product pages")


class ProductPage(SitePage):
    """A page for one product, which stays up and says so once the product is no longer sold."""

    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    body = StreamField(ContentBlocks(), verbose_name=_("page"), blank=True)

    objects = PublicPageManager()

    subject_field = "product"
    subject_missing = _("Choose the product this page sells.")
    base_form_class = SubjectPageForm
    parent_page_types: ClassVar[list[str]] = ["cms.ProductIndexPage"]
    subpage_types: ClassVar[list[str]] = []
    template = "cms/product_page.html"

    content_panels = [*SitePage.content_panels, FieldPanel("product"), FieldPanel("body")]
    search_fields = [*SitePage.search_fields, index.SearchField("body")]

    class Meta:
        verbose_name = _("product page")
        verbose_name_plural = _("product pages")

    def clean(self) -> None:
        super().clean()
        if self.product is not None and self.product.requires_code:
            raise ValidationError({"product": _("This product belongs to a contract, so it can’t have a public page.")})
