from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EcommerceConfig(AppConfig):
    name = "ecommerce"
    verbose_name = _("Shop")

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.checks import Tags, register

        from ecommerce.checks import check_seller
        from ecommerce.gateways.checks import check_gateways, check_payments_possible, check_stripe
        from ecommerce.signals import keep_basket_at_sign_in

        user_logged_in.connect(keep_basket_at_sign_in, dispatch_uid="ecommerce.keep_basket_at_sign_in")
        register(check_gateways)
        register(check_stripe)
        register(check_seller)
        register(check_payments_possible, Tags.security, deploy=True)
