"""The policy as it concerns some indicators: with what people decided on these, found by keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.marking import needing
from pulsegate.publication.surroundings import entry_texts, entwined
from pulsegate.store import concerning
from pulsegate.store.concerning import Concerned
from pulsegate.store.database import Connection
from pulsegate.store.pulses import Candidate, StoredPulse


def concerned(
    connection: Connection,
    policy: Policy,
    moment: datetime,
    found: Iterable[Candidate],
    carriers: Sequence[StoredPulse],
) -> Policy:
    """``marking.with_decisions`` for these indicators and pulses only, as an allow list may be long."""
    noted = [one for one in found if one.noted]
    texts = {text for one in noted for text in entry_texts(IndicatorType(one.type), one.value)}
    ids, authors = {one.pulse.id for one in carriers}, {one.pulse.author for one in carriers}
    is_network = any(one.type == IndicatorType.CIDR for one in noted)  # then entries of all networks are found
    identities = {one.identity for one in noted}.union(
        *(entwined(IndicatorType(one.type), one.value) for one in noted if one.type == IndicatorType.CIDR)
    )
    about = Concerned(identities, texts, is_network, ids, authors)
    held = concerning.read(connection, moment, about)
    return needing(connection, policy).decided(held.allowed, held.overrides, held.reviews, held.trusted)
