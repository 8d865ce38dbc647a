from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EcommerceConfig(AppConfig):
    name = "ecommerce"
    verbose_name = _("Shop")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "product_sells_exactly_one_thing": _("Choose a course run or a program: a product sells one of them."),
        "product_sku_without_blanks": _("A SKU has no spaces."),
        "product_price_not_negative": _("A price can’t be below zero."),
        "discount_amount_not_negative": _("A discount can’t be below zero."),
        "discount_at_most_100_percent": _("A percentage is at most 100."),
        "discount_money_has_a_currency": _("An amount needs a currency, and a percentage has none."),
        "discount_expires_after_it_starts": _("The discount can’t end before it starts."),
        "discount_of_a_contract_opens_one_product": _("A contract’s discount is for its one product and needs a code."),
        "discount_of_a_course_is_for_that_course": _("A course’s discount is for that course and needs a code."),
        "discount_automatic_is_not_counted": _(
            "A discount that applies automatically has no code whose uses could be limited."
        ),
        "discount_person_once": _("This address is on the list already."),
        "code_not_used_too_often": _("The code has been used more often than that."),
        "code_can_be_used_at_all": _("Enter a number from 1 to 1,000,000, or leave it empty for no limit."),
        "code_use_live_once_per_learner": _("This person is using the code already."),
        "code_use_held_for_an_order": _("A code can only be held for an order."),
        "order_pending_once_per_basket": _("There is already an order for this cart. Reload the page."),
        "refund_request_open_once": _("There is already an open request for this order."),
        "refund_request_decided_has_a_moment": _("A request that was decided has a day."),
        "basket_has_one_owner": _("A cart belongs to an account or to a visitor."),
        "basket_once_per_account_site_and_kind": _("This account already has a cart."),
        "basket_once_per_visitor_site_and_kind": _("This visitor already has a cart."),
        "basket_keeps_its_site": _("A cart stays on its site."),
        "basket_item_is_of_its_site": _("Another site sells this."),
        "basket_code_is_of_its_site": _("This code is for another site."),
        "order_keeps_its_site": _("An order stays on its site."),
        "order_line_is_of_its_site": _("Another site sells this."),
        "basket_item_once_for_buyer_and_group": _("This is already in the cart."),
        "basket_item_seats_from_1_to_1000": _("A group has 1 to 1,000 seats."),
        "basket_item_start_once_per_course": _("A start of this course is already chosen."),
        "basket_code_once": _("This code is already in the cart."),
        "attempt_open_once_per_order": _("A payment for this order is already open."),
        "order": _("The order’s amounts or its state don’t fit together, so nothing was saved."),
        "orderline": _("The amounts of this line don’t fit together, so nothing was saved."),
        "orderlinecourse": _("The line already has this course, or it doesn’t say what became of it."),
        "moneyalert": _("This alert exists already."),
        "paymentattempt": _("The payment’s amounts don’t fit together, or it is known already. Nothing was saved."),
        "dispute": _("This dispute is known already."),
        "gatewaynotice": _("This notice is known already."),
        "refund": _("The refund’s amounts don’t fit together, or it is known already. Nothing was saved."),
        "discount_of_a_contract_is_for_one_person": _("A contract’s discount isn’t for groups."),
        "seatsale": _("The seats sold belong to no order or invoice, or to both. Nothing was saved."),
        "seat_sale_has_seats": _("Seats are sold one or more at a time."),
        "code_change_has_a_reason": _("Enter a reason."),
        "registrationcodechange": _("A move names both starts, and a refund of seats its refund."),
        "shop_partner_code_once": _("Another site has this partner code."),
        "shop_sso_client_is_whole": _("The sign-in client needs its id and its secret, or neither."),
        "shop_backend_service_client_is_whole": _("The backend client needs its id and its secret, or neither."),
        "shop_role_is_known": _("Choose one of the roles."),
        "shop_role_once_for_the_shop": _("This person already has this role in the whole shop."),
        "shop_role_once_per_course": _("This person already has this role for this course."),
        "invoice_number_once": _("Another invoice has this number."),
        "invoice_sequence_once": _("Another invoice has this number."),
        "invoice_not_overpaid": _("That is more than the invoice’s balance."),
        "invoice_reverse_charge_has_no_tax": _("With reverse charge, the buyer owes the tax: an invoice shows none."),
        "invoice_void_has_a_reason": _("Enter a reason for voiding the invoice."),
        "invoice": _("The invoice’s amounts, its number and its state don’t fit together, so nothing was saved."),
        "invoice_line_once_per_product": _("The invoice already has this course. Change its number of seats."),
        "invoice_line_discount_in_percent": _("A discount is from 0 to 100 percent."),
        "invoiceline": _("The seats and amounts of this line don’t fit together, so nothing was saved."),
        "credit_note_number_once": _("Another credit note has this number."),
        "credit_note_sequence_once": _("Another credit note has this number."),
        "invoiceentry": _("The amount, number or kind of this entry doesn’t fit, so nothing was saved."),
        "creditnoteline": _("The credit note already has this line, or its amounts are below zero."),
        "invoicereminder": _("This reminder was sent already."),
        "refundline": _("The refund already has this line, or its amount is below zero."),
    }

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.checks import Tags, register
        from django.db.models.signals import post_delete, post_save

        from ecommerce.checks import check_seller
        from ecommerce.gateways.checks import (
            check_cybersource,
            check_gateways,
            check_payments_possible,
            check_paypal,
            check_stripe,
        )
        from ecommerce.signals import forget_stored_shops, keep_basket_at_sign_in

        for name in ("ecommerce.ShopSettings", "wagtailcore.Site"):
            for signal in (post_save, post_delete):
                signal.connect(forget_stored_shops, sender=name, dispatch_uid="ecommerce.forget_stored_shops")
        user_logged_in.connect(keep_basket_at_sign_in, dispatch_uid="ecommerce.keep_basket_at_sign_in")
        register(check_gateways)
        register(check_stripe)
        register(check_paypal)
        register(check_cybersource)
        register(check_seller)
        register(check_payments_possible, Tags.security, deploy=True)
