from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FrontendConfig(AppConfig):
    name = "frontend"
    verbose_name = _("Storefront")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "site_check_is_one_row": _("Only the last check of the sites is kept."),
    }

    def ready(self) -> None:
        from mitxonline.users.next_page import SIGN_IN_REASONS, SignInReason

        SIGN_IN_REASONS["checkout"] = SignInReason(
            sign_in=_("Sign in to check out. We’ll keep your cart."),
            register=_("Create an account to check out. We’ll keep your cart."),
        )
