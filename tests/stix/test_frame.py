"""What a package says of its pulse, against python-stix's own entities: the layer above the objects that we use."""

import itertools
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from cybox.common import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stix.common import Identity, InformationSource, References
from stix.common.information_source import ContributingSources
from stix.common.vocabs import PackageIntent
from stix.core import STIXHeader, STIXPackage
from stix.data_marking import Marking, MarkingSpecification
from stix.extensions.marking.tlp import TLPMarkingStructure
from stix.threat_actor import ThreatActor
from stix.ttp import TTP, Behavior
from stix.ttp.attack_pattern import AttackPattern
from stix.ttp.malware_instance import MalwareInstance

from pulsegate.model.collection import Profile
from pulsegate.model.tlp import TLP
from pulsegate.stix import header, names, render
from pulsegate.stix.context import WORDS
from pulsegate.stix.text import text

chars = st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff")
words = st.sampled_from(["<![CDATA[x]]><evil/>", "a & b < c > \" ' ]]>", "日本語 🦊", " "]) | st.text(
    chars, max_size=20
)


def by_entities(pulse, context, addresses, profile):
    """The package without indicators; ``context`` is the description of the source, ``addresses`` its references."""
    package = STIXPackage(id_="pulsegate:x", stix_header=_header(pulse, context, addresses))
    if profile is Profile.FULL:
        for word in dict.fromkeys(filter(None, pulse.malware_families)):
            malware = MalwareInstance()
            malware.add_name(text(word))
            behavior = Behavior()
            behavior.add_malware_instance(malware)
            package.add_ttp(_ttp(pulse, "malware", text(word), behavior))
        for word in dict.fromkeys(filter(None, pulse.attack_ids)):
            behavior = Behavior()
            behavior.add_attack_pattern(AttackPattern(title=text(word)))
            package.add_ttp(_ttp(pulse, "technique", text(word), behavior))
        if pulse.adversary:
            key = names.key(pulse.id, "actor", text(pulse.adversary))
            actor = ThreatActor(f"pulsegate:threatactor-{key}", timestamp=pulse.modified, title=text(pulse.adversary))
            actor.identity = Identity(name=text(pulse.adversary))
            package.add_threat_actor(actor)
    out = StringIO()
    package.to_obj().export(out.write, 0, names.PREFIXES, pretty_print=False)
    return out.getvalue().partition("<stix:STIX_Header>")[2]


def _header(pulse, context, addresses):
    source = InformationSource(
        identity=Identity(name="Alienvault OTX"),
        description=text(context) or None,
        time=Time(produced_time=pulse.created),
        references=References([text(address) for address in addresses]) if addresses else None,
    )
    if pulse.author:
        author = InformationSource(identity=Identity(name=text(pulse.author)))
        source.contributing_sources = ContributingSources(author)
    tlp = TLPMarkingStructure(pulse.tlp.upper())
    with warnings.catch_warnings():  # of the fields that STIX 1.2 deprecates
        warnings.simplefilter("ignore")
        return STIXHeader(
            title=text(pulse.name) or None,
            package_intents=PackageIntent(PackageIntent.TERM_INDICATORS_WATCHLIST),
            description=text(pulse.description) or None,
            short_description=text(pulse.address),
            handling=Marking(MarkingSpecification(controlled_structure="//node() | //@*", marking_structures=[tlp])),
            information_source=source,
        )


def _ttp(pulse, kind, word, behavior):
    ttp = TTP(f"pulsegate:ttp-{names.key(pulse.id, kind, word)}", timestamp=pulse.modified, title=word)
    ttp.behavior = behavior
    return ttp


def ours(pulse, profile):
    return render(pulse, [], profile).decode().partition("<stix:STIX_Header>")[2]


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("tlp", TLP)
def test_frame_with_and_without_each_field(pulse, profile, tlp):
    bare = replace(pulse, name="", author="", description="", adversary="", malware_families=(), attack_ids=())
    bare = replace(bare, tlp=tlp, tags=(), references=(), targeted_countries=(), industries=())
    for chosen in itertools.product((False, True), repeat=4):
        fields = dict(zip(("name", "author", "description", "references"), chosen, strict=True))
        of = replace(bare, **{name: getattr(pulse, name) for name, wanted in fields.items() if wanted})
        addresses, context = ([], "")
        if of.references:
            addresses, context = [pulse.references[0]], f"References: {pulse.references[1]}"
        assert ours(of, profile) == by_entities(of, context, addresses, profile)


@given(
    texts=st.tuples(words, words, words, words),
    families=st.lists(words, max_size=4).map(tuple),
    techniques=st.lists(words, max_size=4).map(tuple),
    moment=st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy's bounds are naive
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frame_of_any_pulse(pulse, texts, families, techniques, moment):
    name, author, description, adversary = texts
    of = replace(
        pulse,
        name=name,
        author=author,
        description=description,
        adversary=adversary,
        malware_families=families,
        attack_ids=techniques,
        created=moment,
        modified=moment,
        tags=("a", "b"),
        references=(),
        targeted_countries=(),
        industries=(),
    )
    lines = [("Tags", of.tags), ("Adversary", (adversary,)), ("Malware families", families), ("ATT&CK", techniques)]
    context = "\n".join(f"{title}: {', '.join(filter(None, said))}" for title, said in lines if any(said))
    for profile in Profile:
        assert ours(of, profile) == by_entities(of, context, [], profile)


@pytest.mark.parametrize("author", ["", "example & author", "<![CDATA[x"])
def test_producer_of_an_indicator(pulse, author):
    of = replace(pulse, author=author)
    source = InformationSource(identity=Identity(name=text(author) or "Alienvault OTX"))
    if author:
        source.description = "Alienvault OTX"
    assert exported(header.producer(of)) == exported(source.to_obj())


def exported(node):
    out = StringIO()
    node.export(out.write, 0, names.PREFIXES, pretty_print=False)
    return out.getvalue()


def test_no_more_words_than_there_is_room_for(pulse, read):
    many = replace(
        pulse, malware_families=tuple(f"m{n}" for n in range(90)), attack_ids=tuple(f"T{n}" for n in range(90))
    )
    assert len(read(render(many, []), "Behavior")) == 2 * WORDS
    assert len(read(render(many, [], text_limit=1_000), "Behavior")) == 2 * 5
