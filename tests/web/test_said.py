"""What the parts below the pages say is Japanese on Japanese pages, and what is not theirs stays as it is."""

from __future__ import annotations

import ast
import re
import time
import zlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from flask_babel import force_locale
from markupsafe import escape

from pulsegate.curation.decide import Facts, OfPulse, decide, decide_pulse
from pulsegate.errors import AccountError, RelayError
from pulsegate.model.collection import Collection, Rule
from pulsegate.model.decisions import Allowed, Override
from pulsegate.model.indicator import IndicatorType, RawIndicator
from pulsegate.otx.failures import from_exception
from pulsegate.relay import curation, keys, manifest, records
from pulsegate.store import quarantine
from pulsegate.store.quarantine import PULSE, Quarantined
from pulsegate.sync.upstream_client import reworded, reworded_hint
from pulsegate.values.normalise import normalise
from pulsegate.web import said, sayings
from pulsegate.web.words import _
from store.test_pulses import a_pulse
from web.curated import EVIL, fill

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WAIT = "What is stored goes on being served; check the network, otx.url and otx.proxy, or wait and pull again"


@pytest.fixture
def japanese(application):
    with application.test_request_context(), force_locale("ja"):
        yield


def test_file_of_sentences_is_that_of_the_source():
    assert said.FILE.read_text(encoding="utf-8") == said.written(sayings.phrases()), "run 'make translations'"


def test_no_two_values_stand_beside_each_other():
    """Nobody could tell where one ends."""
    shapes = [shape for one in sayings.phrases() for shape in said.shapes(one)]
    pairs = [(pair, plan.text) for pieces, plan in shapes for pair in pairwise(said.joined(pieces))]
    assert [text for pair, text in pairs if not any(isinstance(one, str) for one in pair)] == []


def test_expressions_that_are_known_to_hold_texts_of_ours_are_there():
    source = {ast.unparse(one) for path in sayings.files() for one in ast.walk(ast.parse(path.read_text()))
              if isinstance(one, ast.expr)}  # fmt: skip
    assert set(sayings.OURS) <= source


def facts(**more) -> Facts:
    return Facts(IndicatorType.DOMAIN, NOW, None, True, **more)


def test_reasons_of_decisions(japanese):
    feed = Collection("mail", exclude=Rule(tags=frozenset({"the pulse", "%(x)s"})))
    pulse = a_pulse(1, tags=("the pulse", "%(x)s"))
    told = decide_pulse(pulse, feed, NOW)
    assert said.said(told.reason) == "パルスに、次の tags がある: %(x)s, the pulse"
    entry = Allowed("exact", "example.com", "it is your own", "ann", NOW, None)
    forced = Override("", b"", "domain", "example.com", False, False, "", "ann", NOW, None)
    expired = Facts(IndicatorType.DOMAIN, NOW, NOW - timedelta(days=1), True)
    for known, words in (
        (facts(allowed=entry), "example.com (exact) が許可リストに登録済み (設定者: ann): it is your own"),
        (facts(overrides=(forced,)), "ann が強制的に除外 (対象: すべてのコレクション)"),
        (facts(own=".example.com"), ".example.com は自組織のもの"),
        (facts(protection="public-suffix"), "組み込みの保護 public-suffix に該当"),
        (facts(lists=("tranco10k",)), "警告リスト tranco10k に該当"),
        (expired, "2026-11-19 に期限切れ"),
    ):
        found = decide(known, Collection("mail"), NOW, OfPulse(), frozenset({"tranco10k"}))
        assert said.said(found.reason) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.2.3.999", "IP アドレスではありません: 255 を超える数があります"),
        ("1.2.3.4 1.2.3.5", "IP アドレスではありません: 1 つの欄に複数の値があります"),
        ("", "値が空です"),
    ],
)
def test_reasons_of_the_quarantine(japanese, text, words):
    assert said.fault(normalise(RawIndicator("IPv4", text)).reason) == words


def test_errors_with_resource_and_hint(japanese):
    error = AccountError(
        "is the last administrator", resource="ann", hint="Make another account an administrator first"
    )
    words = "ann: 最後の管理者です。先に別のアカウントを管理者にしてください"
    assert said.fault(str(error)) == words
    assert said.refusal(error) == words
    assert (
        said.refusal(AccountError(_("stands in the settings file"), resource="x"))
        == "x: 設定ファイルで定義されています"
    )
    wait = said.said(WAIT)
    assert wait != WAIT
    assert (
        said.fault(f"/api/v1/x?page=2: OTX's answer broke off. {WAIT}")
        == f"/api/v1/x?page=2: OTX の応答が途中で切れました。{wait}"
    )


def test_error_within_an_alarm(japanese):
    text = (
        "The source otx was not pulled completely for 3h. 3 of 40 pulses are taken. It has failed since 2026-11-20 10:00 "
        f"UTC: /x: OTX didn't answer; given up after 30.0 s. {WAIT}. What is published goes on being served."
    )
    assert said.fault(text) == (
        "ソース otx は取得が完了していません (3h)。3 / 40 件のパルスを取り込み済みです。2026-11-20 10:00 UTC から失敗しています: "
        f"/x: OTX が応答しません。30.0 秒後に中止しました。{said.said(WAIT)}。公開済みの内容は引き続き配信されます。"
    )


def test_alarms_say_what_comes_from_an_upstream(japanese):
    text = (
        "1,200 packages have left the source peer at once. They are served on; "
        "if they may go: pulsegate pull --source peer --accept-removals"
    )
    assert said.fault(text) == (
        "1,200 件のパッケージが一度にソース peer からなくなりました。引き続き配信されます。"
        "削除してよければ次を実行してください: pulsegate pull --source peer --accept-removals"
    )
    stale = "The source peer was not pulled completely for 3h. 3 packages are taken. What is published goes on being served."
    assert "3 件のパッケージを取り込み済みです。" in said.fault(stale)


def test_faults_of_an_upstream(japanese):
    begin, end = NOW - timedelta(days=1), NOW
    text = (
        f"feed of https://peer.example/poll: it sent a content block labelled {NOW.isoformat()}, outside the window from "
        f"{begin.isoformat()} to {end.isoformat()}. Set a shorter segment"
    )
    assert said.fault(text) == (
        f"feed of https://peer.example/poll: 届いたコンテンツブロックのラベル {NOW.isoformat()} が、{begin.isoformat()} から "
        f"{end.isoformat()} までの期間の範囲外です。segment を短くしてください"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ProxyError("no"), "プロキシに接続できないか、拒否されました。取得元の proxy を確認してください"),
        (requests.exceptions.ConnectTimeout("no"), "取得元が応答しません。3.0 秒後に中止しました"),
        (requests.exceptions.ConnectionError("no"), "取得元に接続できません (ConnectionError)"),
        (requests.exceptions.SSLError("EOF occurred"), "取得元のアドレスが TLS に対応していません。取得元の url を確認してください"),
        (zlib.error("cut"), "取得元の応答が破損していました"),
    ],
)  # fmt: skip
def test_what_is_said_of_otx_is_said_of_an_upstream_in_its_words(japanese, error, words):
    told = from_exception("https://peer.example/poll", error, seconds=3)
    hint = f". {reworded_hint(told.hint)}" if told.hint else ""
    assert said.fault(f"feed: {reworded(told.message)}{hint}") == f"feed: {words}"


def test_reason_of_a_bad_record(japanese):
    line = b'{"record": "trusted", "author": " ", "reason": "", "since": "2026-11-20T12:00:00Z"}\n'
    with pytest.raises(RelayError) as caught:
        curation.read(line)
    assert said.refusal(caught.value) == (
        "判断の行を読み取れません (trusted.author: 作成者の名前は、XML で使える文字で 1 から 1,000 文字までです)"
    )


@pytest.mark.parametrize("make", [
    lambda: manifest.read(b"{}"),
    lambda: records.read_pulse(b"[]"),
    lambda: records.read_removal(b"1"),
    lambda: curation.read(b"{}"),
    lambda: keys.read_public(Path(__file__)),
])  # fmt: skip
def test_faults_of_bundles(japanese, make):
    with pytest.raises(RelayError) as caught:
        make()
    told = said.refusal(caught.value)
    assert not re.search(r"[a-z]{2,} (the|a|is|has|that|no|with) ", told.partition("(")[0])
    assert re.search("(ません|不正です)", told)


def test_several_lines(japanese):
    told = "a.txt: line 3: 'a b': only a domain name has something below it; and 4 more. Nothing is stored"
    assert said.fault(told) == "a.txt: 3 行目: 'a b': 下位を持つのはドメイン名だけです; 他 4 件。何も保存されていません"


@pytest.mark.parametrize(
    "value",
    [
        "the pulse",
        "%(account)s",
        "{reason}",
        "%s%d%%",
        "it is your own",
        "\\1",
        "\n",
        EVIL,
        "x: is empty. Split it",
        "",
    ],
)
def test_values_are_neither_translated_nor_looked_into(japanese, value):
    assert said.said(f"{value} is your own") == f"{value} は自組織のもの"
    assert said.said(f"ann forced it out of esa: {value}") == f"ann が強制的に除外 (対象: esa): {value}"
    assert (
        said.fault(f"/x: OTX refused the key with 401, saying {value!r}")
        == f"/x: OTX がキーを拒否しました (401) (応答: {value!r})"
    )


@pytest.mark.parametrize("text", ["", "nothing of ours", "100 %", "%(x)s: y. Z", ": . ;", "既に日本語です。"])
def test_what_is_unknown_stays_as_it_is(japanese, text):
    assert (said.said(text), said.fault(text)) == (text, text)


def test_english_pages_are_as_they_were(application):
    with application.test_request_context(), force_locale("en"):
        assert said.said("nothing speaks against it") == "nothing speaks against it"


@pytest.mark.parametrize(
    "text", [": " * 2500, ". A" * 1600, "; " * 2500, "line 1: " * 600, "x is your own; it is off here" * 170]
)
def test_hostile_texts_take_no_time(japanese, text):
    known = said.Sentences(sayings.phrases())
    started = time.process_time()
    known.fault(text)
    assert time.process_time() - started < 1


def test_hundred_rows_take_no_time(japanese):
    known = said.Sentences(said.read())
    texts = [f"ann forced it out of feed{number}: because {number}" for number in range(100)]
    started = time.process_time()
    assert None not in map(known.said, texts)
    assert time.process_time() - started < 0.2


def test_pages_are_japanese(site, logged_in):
    fill(site)
    browser = logged_in("vera")
    japanese = {"Accept-Language": "ja"}
    page = browser.get("/admin/indicators/explain?value=10.1.2.3", headers=japanese).text
    assert "組み込みの保護 reserved-range に該当: 10.1.2.3 は 10.0.0.0/8 (プライベート) の中にあります" in page
    assert "コレクションの protections" in page
    assert "covers it" not in page
    assert "covers it" in browser.get("/admin/indicators/explain?value=10.1.2.3").text


def test_markup_in_a_reason_stays_text(site, logged_in):
    fill(site)
    with site.database.write() as connection:
        entry = Quarantined(
            PULSE, "1" * 24, "pulse", "1" * 24, f"{EVIL}: its indicators are no list", None, source="otx"
        )
        quarantine.add(connection, entry)
    page = logged_in("vera").get("/admin/quarantine/", headers={"Accept-Language": "ja"}).text
    assert EVIL not in page
    assert f"{escape(EVIL)}: indicators がリストではありません" in page


PEOPLE = {"allow/import.html", "allow/index.html", "forced/index.html", "forced/undo.html"}
"""What these show as a reason, people have written."""


def test_no_template_shows_a_reason_or_an_error_untold():
    folder = Path(said.__file__).parent / "templates"
    plain = re.compile(r"\{\{ *\w+(\.\w+)*\.(reason|error|sentence) *(\}\}|or )")
    found = {one.relative_to(folder).as_posix() for one in folder.rglob("*.html") if plain.search(one.read_text())}
    assert found <= PEOPLE
