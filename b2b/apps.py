from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class B2bConfig(AppConfig):
    name = "b2b"
    verbose_name = _("Organizations and contracts")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "courseware_is_one_thing": _("Choose a course, a program or a run: courseware is one of them."),
        "courseware_course_once": _("The contract already has this course."),
        "courseware_program_once": _("The contract already has this program."),
        "courseware_run_once": _("The contract already has this run."),
        "contract_run_has_its_product": _("A run of a contract needs its product."),
        "hand_out_open_once_per_code": _("This code was already sent to someone."),
        "invitation_open_once_per_address": _("This address already has an open invitation."),
        "hand_out_names_an_address": _("Enter the address that the code is sent to."),
        "hand_out_of_contract_or_sale": _("A code is handed out for a contract or for a group purchase."),
        "only_contracts_share_codes": _("Only contracts have codes that everyone shares."),
        "company_list_has_a_name": _("Enter a name for the list."),
        "helper_once_per_purchase": _("This address can already hand out these codes."),
        "helper_once_per_list": _("This address can already hand out the codes of this list."),
        "helper_of_a_purchase_or_list": _("A helper helps with one purchase or with one list."),
        "helper_has_an_address": _("Enter the helper’s address."),
        "one_seat_per_learner_and_contract": _("This person already has a seat in the contract."),
        "held_seat_names_its_order": _("A seat can only be held for an order."),
        "organization_member_once": _("This person is already in the organization."),
        "reconcile_waits_once": _("An update of this contract is already waiting."),
        "terms_price_positive": _("A price is above zero. Leave it empty for none."),
        "terms_currency_is_a_code": _("A currency has three capital letters, such as USD."),
        "terms_seats_positive": _("A learner cap is above zero. Leave it empty for none."),
        "terms_end_after_start": _("The contract can’t end before it starts."),
        "withdrawn_once_at_a_time": _("This person’s access is withdrawn already."),
        "withdrawal_names_its_authority": _("A withdrawal names who withdrew the access."),
        "added_in_keycloak_once": _("This person is already being added in Keycloak."),
        "settled_when_done": _("What is done has a day."),
        "seat_request_open_once": _("The contract already has an open request for seats."),
        "seat_request_asks_for_seats": _("Ask for a number of seats within the limit."),
        "handoutmail": _("This e-mail’s state doesn’t fit, or it was sent already. Nothing was saved."),
    }

    def ready(self) -> None:
        """Connect the signals here because hook modules load late, and never in some processes."""
        from django.db.models.signals import post_delete, post_save
        from wagtail.signals import page_published, page_unpublished

        from b2b import signals
        from b2b.models import ContractPage
        from courses.models import ProgramRequirement

        page_published.connect(signals.contract_published, sender=ContractPage, dispatch_uid="b2b.published")
        page_unpublished.connect(signals.contract_unpublished, sender=ContractPage, dispatch_uid="b2b.unpublished")
        for signal in (post_save, post_delete):
            signal.connect(signals.program_changed, sender=ProgramRequirement, dispatch_uid="b2b.program_changed")
