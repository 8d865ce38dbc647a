"""Why a delivery can't be replayed or given up."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


class DeliveryRefused(DomainError):
    code = "delivery_refused"
    number: int


class DeliveryDone(DeliveryRefused):
    code = "delivery_done"
    message = _("Delivery {number} is already done.")
    advice = _("Doing it again could charge, enroll or write to someone twice.")


class DeliveryRunning(DeliveryRefused):
    code = "delivery_running"
    message = _("A worker is making delivery {number} at this moment.")
    advice = _("Wait until it ends.")


class DeliveryGivenUp(DeliveryRefused):
    code = "delivery_given_up"
    message = _("Delivery {number} was given up: {reason}")
    reason: str


class ReceiverGone(DeliveryRefused):
    code = "receiver_gone"
    message = _("The receiver of delivery {number} no longer exists: {receiver}.")
    advice = _("Restore it in the route table, or give the delivery up.")
    receiver: str


class NotItsTurn(DeliveryRefused):
    code = "not_its_turn"
    message = _("Delivery {number} waits for delivery {earlier}, which comes first.")
    advice = _("Replay that one, or give it up.")
    earlier: int


class ReasonMissing(DomainError):
    code = "reason_missing"
    message = _("Enter a reason. It is kept in the log.")


class NoSuchDelivery(NotFound):
    code = "no_such_delivery"
    message = _("There is no delivery {number}.")
    number: int
