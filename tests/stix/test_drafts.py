"""What is made from templates against what python-stix makes: the same bytes, and valid wherever the proof of it is."""

import itertools
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sdv.validators.stix.schema import STIXSchemaValidator, _XmlSchemaValidator

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.stix import Block, Failure, blocks, check, expressible, names, render, templates
from pulsegate.stix.drafts import draft
from pulsegate.stix.package import TEXT_LIMIT, frame

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
LIMIT = TEXT_LIMIT
HARD = [
    "a & b < c > d \" e ' f ]]> g",
    "]]>",
    "<![CDATA[x]]><evil/>",
    "<![CDATA[ never closed",
    "<!-- --><?x ?>&amp;lt;",
    " ",
    "\ttabs\r\nand lines\n",
    "\x7f\x85\xa0\u2028\u200f\ufeff",
    "日本語のパルス",
    "🦊🦊\U0010ffff",
    "{0} %s %(a)s \\1 \\g<0>",
    "sample-subject",
    "sample-title sample-author",
    "</stix:Indicators><stix:Indicators>",
    "x" * 70_000,
    "&" * 3_000,
]
UNUSUAL = ["##comma##", "a##comma##b###comma###c"]
WIDE = [kind for kind in IndicatorType if kind is not IndicatorType.CVE]  # what takes any value
WAYS = [(kind, profile) for kind in IndicatorType for profile in Profile if not expressible(kind, "a://b", "", profile)]
WAYS += [(kind, Profile.FULL) for kind in (IndicatorType.CVE, IndicatorType.YARA, IndicatorType.OSQUERY)]
chars = st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff")


def whole(pulse, indicators, profile, text_limit=LIMIT):
    return outcome(render, pulse, indicators, profile, text_limit=text_limit)


def quick(pulse, indicators, profile, text_limit=LIMIT):
    return outcome(
        lambda *args, **kwargs: draft(*args, **kwargs).content, pulse, indicators, profile, text_limit=text_limit
    )


def outcome(write, *args, **kwargs):
    try:
        return write(*args, **kwargs)
    except ConversionError as error:
        return error.message, error.resource


def is_templated(pulse, indicators, profile):
    return templates.write(pulse, indicators, profile) is not None


@pytest.mark.parametrize(("kind", "profile"), WAYS)
def test_draft_of_each_type_and_each_combination_of_fields(pulse, make, kind, profile):
    ends = (None, CREATED + timedelta(days=30))
    options = itertools.product(("", "T"), ("", "D & D"), (None, CREATED), ends, ("", "author"), TLP)
    for title, description, created, expiration, author, tlp in options:
        entry = make(kind, title=title, description=description, created=created, expiration=expiration)
        of = replace(pulse, author=author, tlp=tlp)
        assert is_templated(of, [entry], profile)
        assert quick(of, [entry], profile) == whole(of, [entry], profile)


@pytest.mark.parametrize(("kind", "profile"), WAYS)
def test_draft_of_an_own_pulse_says_nothing_of_otx(pulse, make, kind, profile):
    entry = make(kind, title="T")
    quick(pulse, [entry], profile)  # a template of the same shape but for the pulse
    of = replace(pulse, id="own-0123456789abcdef0123")
    assert is_templated(of, [entry], profile)
    made = quick(of, [entry], profile)
    assert made == whole(of, [entry], profile)
    check(made)
    assert b"lienvault" not in made


@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize(("kind", "profile"), WAYS)
def test_draft_with_hard_text_in_every_field(pulse, make, kind, profile, hard):
    value = "CVE-2024-00001" if kind is IndicatorType.CVE else hard
    value = f"http://bad.example/{hard}" if kind is IndicatorType.URI and profile is Profile.ESA else value
    content = f"select {hard}" if kind is IndicatorType.OSQUERY else f"{hard}rule"
    entry = make(kind, value, title=hard, description=hard, content=content)
    of = replace(pulse, author=hard)
    assert is_templated(of, [entry], profile)
    made = draft(of, [entry], profile, text_limit=LIMIT)
    assert made.content == whole(of, [entry], profile)
    check(made.content)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IndicatorType.URI, "/gate.php"),
        (IndicatorType.URI, "ftp://bad.example/x"),
        (IndicatorType.URL, "bad.example/x"),
        *((IndicatorType.SSL_CERT_FINGERPRINT, "a" * length) for length in (31, 32, 33, 40, 64)),
        (IndicatorType.SSL_CERT_FINGERPRINT, ":".join(["aa"] * 16)),
        (IndicatorType.OSQUERY, "select 1"),
        (IndicatorType.OSQUERY, "a name"),
        (IndicatorType.CVE, "CVE-1999-0"),
        (IndicatorType.CVE, f"CVE-1999-{'9' * 2000}"),
    ],
)
def test_draft_of_values_that_change_the_markup(pulse, make, kind, value):
    entry = make(kind, value, content="" if value == "select 1" else "select 2")
    assert is_templated(pulse, [entry], Profile.FULL)
    made = draft(pulse, [entry], Profile.FULL, text_limit=LIMIT)
    assert made.content == whole(pulse, [entry], Profile.FULL)
    check(made.content)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("hard", HARD)
def test_draft_with_every_header(pulse, make, profile, hard):
    fields = {
        "name": hard,
        "author": hard,
        "description": hard,
        "adversary": hard,
        "tags": (hard, "b"),
        "references": (hard, "https://blog.example/?a=1&b=2", "https://blog.example/日本"),
        "targeted_countries": (hard,),
        "malware_families": (hard, "b"),
        "attack_ids": (hard, "T1566"),
        "industries": (hard,),
    }
    bare = Pulse(pulse.id, "", "", pulse.created, pulse.modified)
    entries = [make(IndicatorType.IPV4), make(IndicatorType.MD5)]
    variants = [replace(bare, **fields), bare, *(replace(bare, **{name: fields[name]}) for name in fields)]
    variants += [replace(replace(pulse, **fields), **{name: getattr(bare, name)}) for name in fields]
    for variant in variants:
        assert quick(variant, entries, profile) == whole(variant, entries, profile)
        assert quick(variant, entries, profile, 300) == whole(variant, entries, profile, 300)


def fit(size):
    return st.sampled_from(HARD[:-2]) | st.text(chars, max_size=size)


# The bounds of the strategy are naive, and so may be what it gives: that must not come, but may not be written wrong.
BEGIN, EARLY, LATE = datetime(1970, 1, 1), datetime(1900, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001
moments = st.datetimes(BEGIN, timezones=st.just(UTC))
times = moments | st.datetimes(EARLY, LATE, timezones=st.sampled_from([None, timezone(timedelta(hours=9))]))


@st.composite
def indicators(draw, profile, values, times):
    kind = draw(st.sampled_from(sorted({kind for kind, way in WAYS if way is profile})))
    value = draw(values)
    if kind is IndicatorType.CVE:
        value = f"CVE-2024-{draw(st.integers(0))}"
    if kind is IndicatorType.URI and profile is Profile.ESA:
        value = f"x://{value}"
    raw = RawIndicator(
        kind,
        value,
        created=draw(st.none() | times),
        expiration=draw(st.none() | times),
        title=draw(fit(30)),
        description=draw(fit(30)),
        content=draw(fit(60)) + "x" * (kind in (IndicatorType.YARA, IndicatorType.OSQUERY)),
    )
    return Indicator(kind, value, raw)


@st.composite
def cases(draw, values, times):
    profile = draw(st.sampled_from(Profile))
    many = st.lists(fit(20), max_size=4).map(tuple)
    pulse = Pulse(
        id=draw(st.text("0123456789abcdef", min_size=24, max_size=24)),
        name=draw(fit(30)),
        author=draw(fit(30)),
        created=draw(times),
        modified=draw(times),
        description=draw(fit(100)),
        tlp=draw(st.sampled_from(TLP)),
        adversary=draw(fit(20)),
        **{name: draw(many) for name in ("tags", "references", "malware_families", "attack_ids", "industries")},
    )
    found = draw(
        st.lists(indicators(profile, values, times), min_size=1, max_size=6, unique_by=lambda one: one.identity)
    )
    return pulse, found, profile


usual = cases(fit(60).filter(lambda value: value and UNUSUAL[0] not in value), moments)
unusual = cases(fit(60) | st.sampled_from([*UNUSUAL, "\x1b"]), times)


@given(usual)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_draft_of_any_pulse(case):
    pulse, found, profile = case
    assert is_templated(pulse, found, profile)
    assert quick(pulse, found, profile) == whole(pulse, found, profile)


@given(unusual)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_draft_of_any_pulse_with_unusual_indicators(case):
    pulse, found, profile = case
    assert quick(pulse, found, profile) == whole(pulse, found, profile)


@given(usual | unusual)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_package_is_valid_where_its_proof_is(case):
    pulse, found, profile = case
    made = outcome(draft, pulse, found, profile, text_limit=LIMIT)
    if isinstance(made, tuple):
        return
    try:
        check(made.proof)
    except ConversionError:
        assert not is_templated(pulse, found, profile)
    else:
        check(made.content)
        check(made.content.replace(b'version="1.2"', b'version="1.1.1"', 1), "1.1.1")


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("char", ["\x00", "\x1b", "\ufffe", "\udc80"])
def test_draft_is_refused_what_a_package_is_refused(pulse, make, kind, char):
    good = make(IndicatorType.IPV4)
    for field in ("value", "title", "description", "content"):
        bad = make(kind, **{"value": "abc", "content": "select 1", field: f"select {char}"})
        assert quick(pulse, [good, bad], Profile.FULL) == whole(pulse, [good, bad], Profile.FULL)
    for field in ("id", "name", "author"):
        unfit = replace(pulse, **{field: char})
        assert quick(unfit, [good], Profile.FULL) == whole(unfit, [good], Profile.FULL)
        assert isinstance(quick(unfit, [good], Profile.FULL), tuple)


@pytest.mark.parametrize(
    "unusual",
    [
        {"value": UNUSUAL[0]},
        {"value": ""},
        {"created": datetime(1, 1, 1, tzinfo=UTC)},
        {"created": datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=9, seconds=1)))},
        {"expiration": datetime(2024, 1, 1)},  # noqa: DTZ001 - what must not come
    ],
)
def test_unusual_indicator_goes_the_whole_way(pulse, make, unusual):
    entries = [make(IndicatorType.IPV4), make(IndicatorType.MUTEX, **unusual)]
    assert not is_templated(pulse, entries, Profile.FULL)
    made = draft(pulse, entries, Profile.FULL, text_limit=LIMIT)
    assert made.proof == made.content == whole(pulse, entries, Profile.FULL)


def test_proof_holds_one_indicator_of_each_shape(pulse, make):
    hosts = [make(IndicatorType.DOMAIN, f"host{number}.bad.example") for number in range(5)]
    described = [make(IndicatorType.DOMAIN, f"d{number}.bad.example", description="D") for number in range(5)]
    addresses = [make(IndicatorType.IPV4, f"192.0.2.{number}") for number in range(5)]
    entries = [*hosts, *described, *addresses]
    made = draft(pulse, entries, Profile.FULL, text_limit=LIMIT)
    content, proof = etree.fromstring(made.content), etree.fromstring(made.proof)
    assert len(content.find("{*}Indicators")) == 15
    assert [one.find("{*}Observable/{*}Title").text for one in proof.find("{*}Indicators")] == [
        "domain - host4.bad.example",
        "domain - d4.bad.example",
        "IPv4 - 192.0.2.4",
    ]
    for root in (content, proof):
        root.remove(root.find("{*}Indicators"))
    assert etree.tostring(proof) == etree.tostring(content)


@pytest.mark.parametrize(("kind", "profile"), WAYS)
def test_place_of_a_text_takes_any_text(pulse, make, kind, profile):
    """In no place of a template does the schema look at the text, as it would at a number, a pattern or a length."""
    entry = make(kind, title="t", description="d", expiration=CREATED)
    (written,) = templates.write(pulse, [entry], profile)
    template = templates.template(written.shape)
    before, after = frame(pulse, profile, LIMIT).around([entry])
    label, subject, dates = "label", "CVE-1234-5" if kind is IndicatorType.CVE else None, CREATED.isoformat()
    for text in (
        "",
        " ",
        "\n",
        "\t x \r\n",
        "0",
        "-1.5e9",
        "true",
        "ä日🦊\x7f\x85",
        "&lt;&amp;&gt;'\"",
        "x y" * 500_000,
    ):
        values = ("0" * 36, dates, text, label or text, subject or text, text, dates, text)
        check((before + template.fill(values) + after).encode())


@given(moments)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_date_since_1970_is_valid(pulse, make, moment):
    entry = make(IndicatorType.CVE, created=moment, expiration=moment)
    assert is_templated(pulse, [entry], Profile.FULL)
    made = draft(pulse, [entry], Profile.FULL, text_limit=LIMIT)
    assert made.content == whole(pulse, [entry], Profile.FULL)
    check(made.content)


@pytest.mark.parametrize("kind", IndicatorType)
def test_no_rule_of_the_schema_binds_two_indicators(pulse, make, kind):
    entry = make(kind)
    (written,) = templates.write(pulse, [entry], Profile.FULL)
    before, after = frame(pulse, Profile.FULL, LIMIT).around([entry])
    check((before + written.xml * 2 + after).encode())  # so not even ids are looked at


def test_schema_has_no_identifiers_but_below_cybox_own_elements():
    """xs:unique and xs:ID are the rules that look at more than one element; CybOX's lie on elements that are not used."""
    schemas = _XmlSchemaValidator(STIXSchemaValidator._SCHEMAS["1.2"])._schemalocs
    used = [schemas[namespace] for namespace in names.PREFIXES if namespace in schemas]
    assert len(used) == len(names.PREFIXES) - 2  # xsi, and the namespace of the ids
    bound = []
    for location in used:
        for node in etree.parse(location).iter("{http://www.w3.org/2001/XMLSchema}*"):
            kinds = {value.rpartition(":")[2] for value in (node.get("type", ""), node.get("base", ""))}
            if etree.QName(node).localname in {"unique", "key", "keyref"} or kinds & {"ID", "IDREF", "IDREFS"}:
                parent = node.getparent()
                bound.append(
                    (etree.QName(node).localname, parent.get("name"), parent.getparent().tag.rpartition("}")[2])
                )
    assert bound == [
        ("unique", name, "schema") for name in ("Observables", "Observable", "Event", "Action", "Object", "Property")
    ]


@pytest.mark.parametrize("profile", Profile)
def test_elements_with_unique_ids_are_not_used(pulse, every, profile):
    entries = [one for one in every if not expressible(one.type, one.value, one.raw.content, profile)]
    root = etree.fromstring(draft(pulse, entries, profile, text_limit=LIMIT).content)
    # An Object below an Observable is declared there (cybox:ObservableType), without such a rule; the others are not.
    cybox = "{http://cybox.mitre.org/cybox-2}"
    used = {node.tag for node in root.iter(f"{cybox}*")} - {f"{cybox}Object"}
    assert used == {f"{cybox}Title", f"{cybox}Properties"}


def test_block_from_a_broken_template_is_a_failure(pulse, make, monkeypatch):
    right = templates.template

    def wrong(shape):
        made = right(shape)
        if shape.type is not IndicatorType.DOMAIN:
            return made
        return replace(made, pieces=tuple(piece.replace("condition=", "kind=") for piece in made.pieces))

    monkeypatch.setattr(sys.modules["pulsegate.stix.templates"], "template", wrong)
    entries = [make(IndicatorType.DOMAIN), make(IndicatorType.IPV4)]
    failure, block = blocks(pulse, entries, Profile.FULL)
    assert isinstance(failure, Failure)
    assert "kind" in failure.reason
    assert isinstance(block, Block)
    assert block.indicators == (entries[1],)


def test_text_that_no_parser_takes_is_isolated_wherever_it_stands(pulse, make):
    huge = make(IndicatorType.YARA, "huge", content="x" * 10_500_000)
    entries = [make(IndicatorType.YARA, "first"), huge, make(IndicatorType.YARA, "last")]
    results = list(blocks(pulse, entries, Profile.FULL, max_bytes=15_000_000))
    assert [result.indicator for result in results if isinstance(result, Failure)] == [huge]
    assert [one for result in results if isinstance(result, Block) for one in result.indicators] == entries[::2]


def test_template_is_made_once_for_a_shape(pulse, make):
    entries = [make(IndicatorType.DOMAIN, f"host{number}.bad.example", title=f"{number}") for number in range(200)]
    list(blocks(pulse, entries[:1], Profile.FULL))
    before = templates.template.cache_info()
    list(blocks(replace(pulse, author="another", name="name"), entries, Profile.FULL))
    after = templates.template.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (0, 200)


def test_templates_that_are_kept_are_bounded(pulse, make):
    templates.template.cache_clear()
    for tlp, author, created, expiration in itertools.product(TLP, ("", "a"), (None, CREATED), (None, CREATED)):
        for kind in IndicatorType:
            entry = make(kind, created=created, expiration=expiration)
            templates.write(replace(pulse, tlp=tlp, author=author), [entry], Profile.FULL)
    info = templates.template.cache_info()
    assert info.misses > info.maxsize == info.currsize
    templates.template.cache_clear()


@pytest.mark.parametrize("kind", IndicatorType)
def test_template_is_small(pulse, make, kind):
    (written,) = templates.write(pulse, [make(kind, description="D" * 10_000)], Profile.FULL)
    assert sum(map(len, templates.template(written.shape).pieces)) < 4_000


def test_memory_stays_flat_over_many_blocks(pulse, every):
    for _ in range(20):
        list(blocks(pulse, every, Profile.FULL))
    tracemalloc.start()
    try:
        list(blocks(pulse, every, Profile.FULL))
        before = tracemalloc.get_traced_memory()[0]
        for number in range(150):
            list(blocks(replace(pulse, id=f"{number:024x}", author=f"author {number}"), every, Profile.FULL))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # 150 packages are 6 MB
