"""Marks follow the settings, and what is decided while pulses are taken in."""

from __future__ import annotations

import pytest

from publication.feeds import NOW, a_pulse
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.curation.warning_lists import ListFile
from pulsegate.errors import SettingsError
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.model.collection import Collection
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.model.mode import Mode
from pulsegate.publication.marking import Marker
from pulsegate.store import decisions

NAME = Indicator(IndicatorType.DOMAIN, "v.example", RawIndicator("domain", "v.example"))
RAW = {
    "id": f"{1:024x}",
    "name": "P",
    "author_name": "someone",
    "created": "2024-05-01T00:00:00",
    "modified": "2024-05-01T00:00:00",
    "indicators": [{"type": "domain", "indicator": "v.example"}, {"type": "domain", "indicator": "w.example"}],
}


def a_list(path, *entries, mode=Mode.BLOCK):
    path.write_text("\n".join(entries))
    return Policy(lists=ListChoice.of({}, [ListFile("mine", path, mode)]))


@pytest.fixture
def mail(feed):
    feed.collection(Collection("mail"))
    feed.put(a_pulse(1), ["v.example", "w.example"])
    feed.publish()
    return feed


def test_list_that_is_added_grows_and_is_taken_out(mail, tmp_path):
    policy = a_list(tmp_path / "list.txt", "v.example")
    mail.publish(policy)
    assert mail.values() == [["w.example"]]
    mail.publish(a_list(tmp_path / "list.txt", ".w.example", "v.example"))
    assert mail.values() == []
    mail.publish(a_list(tmp_path / "list.txt", "v.example", "w.example", mode=Mode.INFORM))
    assert sorted(mail.values()[0]) == ["v.example", "w.example"]
    mail.publish()
    assert sorted(mail.values()[0]) == ["v.example", "w.example"]


def test_list_that_is_off_blocks_where_a_collection_names_it(mail, tmp_path):
    policy = a_list(tmp_path / "list.txt", "v.example", mode=Mode.OFF)
    mail.collection(Collection("strict", warning_lists=frozenset({"mine"})))
    mail.publish(policy)
    assert (mail.values("strict"), sorted(mail.values()[0])) == ([["w.example"]], ["v.example", "w.example"])


def test_list_that_can_not_be_read_holds_up_no_withdrawal(mail, tmp_path):
    policy = a_list(tmp_path / "list.txt", "v.example")
    (tmp_path / "list.txt").unlink()
    mail.withdraw(a_pulse(1))
    mail.publish(policy)
    assert mail.values() == []
    with pytest.raises(SettingsError, match=r"list\.txt"):
        take(mail.database, [RAW], Intake(), Claim("files", "file"), Marker(mail.database, policy))


def test_own_networks_that_are_added_and_taken_out(mail):
    mail.publish(Policy(own=Own(["w.example"])))
    assert mail.values() == [["v.example"]]
    mail.publish()
    assert sorted(value for values in mail.values() for value in values) == ["v.example", "w.example"]


def test_decision_that_comes_while_pulses_are_taken_in_counts(feed):
    feed.collection(Collection("mail"))
    marker = Marker(feed.database, Policy())
    marker.prepare([NAME])
    assert marker(NAME) == Marks()
    with feed.database.write() as connection:
        decisions.allow(connection, [Allowed("subtree", "v.example", "", "who", NOW)], "who")
    take(feed.database, [RAW], Intake(), Claim("files", "file"), marker)
    assert marker(NAME) == Marks(noted=True)
    feed.publish()
    assert feed.values() == [["w.example"]]
