"""Requests of every kind, TAXII 1.0 and 1.1, with the kinds of answer that are right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import libtaxii.taxii_default_query as tdq
from libtaxii.constants import (
    ACT_PAUSE,
    ACT_RESUME,
    ACT_STATUS,
    ACT_SUBSCRIBE,
    ACT_UNSUBSCRIBE,
    CB_STIX_XML_12,
    CB_STIX_XML_111,
    CM_CORE,
    OP_AND,
    RT_COUNT_ONLY,
    RT_FULL,
    VID_TAXII_HTTP_10,
    VID_TAXII_XML_11,
)

NAME = "subscribed"
BEGIN, END = datetime(2026, 1, 1, 18, tzinfo=UTC), datetime(2026, 1, 2, 18, tzinfo=timezone(timedelta(hours=5)))
PATHS = ["".join(parts) for parts in product(("/taxii", "/taxi"), ("/discovery", "/collections", "/poll"), ("", "/"))]
INBOX_PATHS = ["".join(parts) for parts in product(("/taxii/inbox", "/taxi/inbox"), ("", "/"))]

STIX, OLD_STIX = tm11.ContentBinding(CB_STIX_XML_12), tm11.ContentBinding(CB_STIX_XML_111)
DELIVERY = tm11.DeliveryParameters(VID_TAXII_HTTP_10, "http://192.0.2.7/inbox", VID_TAXII_XML_11)
QUERY = tdq.DefaultQuery(
    CB_STIX_XML_12, tdq.Criteria(OP_AND, criterion=[tdq.Criterion("**", tdq.Test(CM_CORE, "equals", {
        "value": "bad0.example.org", "match_type": "case_insensitive_string"
    }))]),
)  # fmt: skip


def poll11(collection: str = NAME, parameters: Any = None, **more: Any) -> Any:
    if "subscription_id" not in more:
        parameters = parameters or tm11.PollParameters()
    return tm11.PollRequest("p1", collection_name=collection, poll_parameters=parameters, **more)


def fulfil(collection: str, part: int) -> Any:
    return tm11.PollFulfillmentRequest("f1", collection_name=collection, result_id="none", result_part_number=part)


def poll10(collection: str = NAME, **more: Any) -> Any:
    return tm10.PollRequest("1", feed_name=collection, **more)


def window(first: str) -> dict[str, datetime]:
    return {f"{first}_begin_timestamp_label": BEGIN, "inclusive_end_timestamp_label": END}


def manage11(action: str, collection: str = NAME, **more: Any) -> Any:
    return tm11.ManageCollectionSubscriptionRequest("s1", action=action, collection_name=collection, **more)


def manage10(action: str, collection: str = NAME, **more: Any) -> Any:
    return tm10.ManageFeedSubscriptionRequest("1", action=action, feed_name=collection, **more)


def content11(binding: Any = STIX, **more: Any) -> Any:
    return tm11.ContentBlock(binding, "<pushed xmlns='urn:example'/>", **more)


POLL, STATUS, SUBSCRIPTION = "Poll_Response", "Status_Message", "Subscription_Management_Response"
QUESTIONS: dict[str, tuple[Any, set[str]]] = {
    "discovery": (tm11.DiscoveryRequest("d1"), {"Discovery_Response"}),
    "discovery with extended headers": (
        tm11.DiscoveryRequest("d1", extended_headers={"http://example.org/a": "b"}), {"Discovery_Response"},
    ),
    "discovery 1.0": (tm10.DiscoveryRequest("1"), {"Discovery_Response"}),
    "collections": (tm11.CollectionInformationRequest("c1"), {"Collection_Information_Response"}),
    "feeds 1.0": (tm10.FeedInformationRequest("1"), {"Feed_Information_Response"}),
    "poll": (poll11(), {POLL}),
    "poll a window": (poll11(**window("exclusive")), {POLL}),
    "poll from a begin": (poll11(exclusive_begin_timestamp_label=BEGIN), {POLL}),
    "poll to an end": (poll11(inclusive_end_timestamp_label=END), {POLL}),
    "poll, counted": (poll11(parameters=tm11.PollParameters(RT_COUNT_ONLY)), {POLL}),
    "poll of STIX 1.2": (poll11(parameters=tm11.PollParameters(content_bindings=[STIX])), {POLL}),
    "poll of STIX 1.1.1": (
        poll11(parameters=tm11.PollParameters(content_bindings=[OLD_STIX])), {POLL, "UNSUPPORTED_CONTENT"},
    ),
    "poll of either": (poll11(parameters=tm11.PollParameters(content_bindings=[OLD_STIX, STIX])), {POLL}),
    "poll of another content": (
        poll11(parameters=tm11.PollParameters(content_bindings=[tm11.ContentBinding("urn:example:none")])),
        {"UNSUPPORTED_CONTENT"},
    ),
    "poll of a subtype": (
        poll11(parameters=tm11.PollParameters(content_bindings=[tm11.ContentBinding(CB_STIX_XML_12, ["sub"])])),
        {POLL, "UNSUPPORTED_CONTENT"},
    ),
    "poll, delivered later": (
        poll11(parameters=tm11.PollParameters(allow_asynch=True, delivery_parameters=DELIVERY)), {POLL},
    ),
    "poll with a query": (
        poll11(parameters=tm11.PollParameters(query=QUERY)), {POLL, "UNSUPPORTED_QUERY", "FAILURE"},
    ),
    "poll of nothing known": (poll11("nothing"), {"NOT_FOUND"}),
    "poll by a subscription that is none": (poll11(subscription_id="none"), {"NOT_FOUND"}),
    "poll 1.0": (poll10(), {POLL}),
    "poll a window 1.0": (poll10(**window("exclusive")), {POLL}),
    "poll of STIX 1.2 1.0": (poll10(content_bindings=[CB_STIX_XML_12]), {POLL}),
    "poll of another content 1.0": (poll10(content_bindings=["urn:example:none"]), {"UNSUPPORTED_CONTENT"}),
    "poll of nothing known 1.0": (poll10("nothing"), {"NOT_FOUND"}),
    "poll by a subscription that is none 1.0": (poll10(subscription_id="none"), {"NOT_FOUND"}),
    "fulfilment of nothing known": (fulfil(NAME, 1), {"NOT_FOUND"}),
    "fulfilment of no collection": (fulfil("nothing", 2), {"NOT_FOUND"}),
    "subscribe": (manage11(ACT_SUBSCRIBE), {SUBSCRIPTION}),
    "subscribe with parameters": (
        manage11(ACT_SUBSCRIBE, subscription_parameters=tm11.SubscriptionParameters(RT_FULL, [STIX])), {SUBSCRIPTION},
    ),
    "subscribe to counts": (
        manage11(ACT_SUBSCRIBE, subscription_parameters=tm11.SubscriptionParameters(RT_COUNT_ONLY)), {SUBSCRIPTION},
    ),
    "subscribe to another content": (
        manage11(
            ACT_SUBSCRIBE,
            subscription_parameters=tm11.SubscriptionParameters(content_bindings=[tm11.ContentBinding("urn:none")]),
        ),
        {"UNSUPPORTED_CONTENT"},
    ),
    "subscribe to nothing known": (manage11(ACT_SUBSCRIBE, "nothing"), {"NOT_FOUND"}),
    "pause without an id": (manage11(ACT_PAUSE), {"BAD_MESSAGE"}),
    "pause what is not there": (manage11(ACT_PAUSE, subscription_id="none"), {"NOT_FOUND"}),
    "resume what is not there": (manage11(ACT_RESUME, subscription_id="none"), {"NOT_FOUND"}),
    "status of what is not there": (manage11(ACT_STATUS, subscription_id="none"), {"NOT_FOUND"}),
    "status of all": (manage11(ACT_STATUS), {SUBSCRIPTION}),
    "unsubscribe what is not there": (manage11(ACT_UNSUBSCRIBE, subscription_id="none"), {SUBSCRIPTION}),
    "unsubscribe without an id": (manage11(ACT_UNSUBSCRIBE), {"BAD_MESSAGE"}),
    "subscribe 1.0": (manage10(ACT_SUBSCRIBE), {SUBSCRIPTION}),
    "status of all 1.0": (manage10(ACT_STATUS), {SUBSCRIPTION}),
    "unsubscribe what is not there 1.0": (manage10(ACT_UNSUBSCRIBE, subscription_id="none"), {SUBSCRIPTION}),
    "subscribe to nothing known 1.0": (manage10(ACT_SUBSCRIBE, "nothing"), {"NOT_FOUND"}),
}  # fmt: skip
# Whether a push is taken is the inbox's own matter; its answer is a Status_Message in any case.
PUSHES: dict[str, Any] = {
    "nothing": tm11.InboxMessage("i1"),
    "content": tm11.InboxMessage("i1", content_blocks=[content11()]),
    "to a collection": tm11.InboxMessage("i1", destination_collection_names=[NAME], content_blocks=[content11()]),
    "to two": tm11.InboxMessage("i1", destination_collection_names=[NAME, "nothing"], content_blocks=[content11()]),
    "of a subscription": tm11.InboxMessage(
        "i1",
        message="Good morning",
        result_id="r1",
        subscription_information=tm11.SubscriptionInformation(NAME, "sub", BEGIN, END),
        record_count=tm11.RecordCount(1, partial_count=True),
        content_blocks=[
            content11(timestamp_label=BEGIN, message="日本語", padding="xx"),
            content11(tm11.ContentBinding("urn:example:none", ["sub"])),
        ],
    ),
    "nothing 1.0": tm10.InboxMessage("1"),
    "content 1.0": tm10.InboxMessage("1", content_blocks=[tm10.ContentBlock(CB_STIX_XML_12, "<pushed/>")]),
    "of a subscription 1.0": tm10.InboxMessage(
        "1",
        message="Good morning",
        subscription_information=tm10.SubscriptionInformation(NAME, "sub", BEGIN, END),
        content_blocks=[tm10.ContentBlock(CB_STIX_XML_12, "<pushed/>", timestamp_label=BEGIN, padding="xx")],
    ),
}
