"""Collection information and subscriptions: OpenTAXII's, of the collection that was asked for, each one once."""

from __future__ import annotations

from typing import Any

from libtaxii.constants import (
    MSG_COLLECTION_INFORMATION_REQUEST,
    MSG_FEED_INFORMATION_REQUEST,
    MSG_MANAGE_COLLECTION_SUBSCRIPTION_REQUEST,
    MSG_MANAGE_FEED_SUBSCRIPTION_REQUEST,
    SS_UNSUBSCRIBED,
    VID_TAXII_XML_11,
)
from opentaxii.taxii.services import CollectionManagementService
from opentaxii.taxii.services.handlers import CollectionInformationRequestHandler, SubscriptionRequestHandler

from pulsegate.taxii.messages import AnyMessage


class SubscriptionHandler(SubscriptionRequestHandler):  # type: ignore[misc]  # OpenTAXII is not typed
    """Manages subscriptions (TAXII 1.1 Services, section 3.6)."""

    @classmethod
    def handle_message(cls, service: Any, request: Any) -> Any:
        new = request.version == VID_TAXII_XML_11
        collection = service.get_collection(request.collection_name if new else request.feed_name)
        service.asked_for = None if collection is None else collection.id
        return super().handle_message(service, request)


class SubscribingService(AnyMessage, CollectionManagementService):  # type: ignore[misc]  # OpenTAXII is not typed
    """The collection management service. A subscription belongs to nobody: whoever may read its collection sees it."""

    subscription_message = "A subscription fixes what is polled with its id; content is never pushed"
    subscription_handlers = {  # noqa: RUF012 - OpenTAXII's attribute
        MSG_MANAGE_COLLECTION_SUBSCRIPTION_REQUEST: SubscriptionHandler,
        MSG_MANAGE_FEED_SUBSCRIPTION_REQUEST: SubscriptionHandler,
    }
    asked_for: int | None = None  # the collection of this request

    def __init__(self, subscription_message: str | None = None, **properties: Any) -> None:
        super().__init__(subscription_message=subscription_message or self.subscription_message, **properties)
        self.handlers = {
            MSG_COLLECTION_INFORMATION_REQUEST: CollectionInformationRequestHandler,
            MSG_FEED_INFORMATION_REQUEST: CollectionInformationRequestHandler,
            **(self.subscription_handlers if self.subscription_supported else {}),
        }

    def get_subscriptions(self) -> list[Any]:
        """Those to the collection asked for that are in force, or paused."""
        return [
            one
            for one in super().get_subscriptions()
            if one.collection_id == self.asked_for and one.status != SS_UNSUBSCRIBED
        ]

    def create_subscription(self, subscription: Any) -> Any:
        """The one that is there already, where somebody asked for the same before (section 3.6.1)."""
        for one in self.get_subscriptions():
            if _terms(one) == _terms(subscription):
                return one
        return super().create_subscription(subscription)


def _terms(subscription: Any) -> tuple[Any, ...]:
    params = subscription.params
    bindings = [] if params is None else [(one.binding, tuple(one.subtypes)) for one in params.content_bindings or ()]
    return subscription.status, None if params is None else params.response_type, bindings
