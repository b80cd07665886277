"""People at the administration pages: they follow links, and a curator changes the allow list."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from lxml import html
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from soak.hosts_world import PASSWORD
from soak.world import World

START = "/admin/"
ADD = "/admin/lists/allow/add"
LOOKING = 4.0  # seconds that somebody looks at a page, in the mean
DECIDING = 10.0  # seconds between two changes of a curator


class Person:
    """Logs in, and follows links at random. ``faults``: what no page should be."""

    def __init__(self, world: World, address: str, number: int) -> None:
        self.world, self.address = world, address
        self.random = random.Random(f"person {world.seed} {number}")
        self.session = requests.Session()
        self.session.trust_env = False
        again = Retry(total=1, allowed_methods=("GET",))  # as browsers do when a server closes what they were keeping
        self.session.mount("http://", HTTPAdapter(max_retries=again))
        self.seconds: list[float] = []
        self.answers: Counter[int] = Counter()
        self.faults: list[str] = []
        self.links = [START]

    def run(self) -> None:
        self.log_in()
        while not self.world.stopped:
            self.follow(self.random.choice(self.links))
            time.sleep(self.random.uniform(0.0, 2 * LOOKING))

    def log_in(self) -> None:
        self.send(f"{START}login", name="admin", password=PASSWORD)

    def follow(self, path: str) -> Any:
        page = self.read(self.session.get, path)
        here = [] if page is None else [urljoin(path, link) for link in page.xpath("//a/@href")]
        self.links = [link for link in here if urlsplit(link).path.startswith(START)] or [START]
        return page

    def send(self, path: str, **fields: str) -> None:
        """Fill in the form of a page that is sent to the page's own address, and send it."""
        page = self.follow(path)
        for address, data in [] if page is None else _sent_by(page):
            if urlsplit(address or path).path == urlsplit(path).path:
                self.read(self.session.post, address or path, data=data | fields)
                return
        self.faults.append(f"{path} has no form that is sent there")

    def read(self, ask: Any, path: str, **more: Any) -> Any:
        """The page; None: it is none."""
        began = time.monotonic()
        try:
            answer = ask(self.address + path, timeout=60, **more)
        except requests.RequestException as error:
            self.faults.append(f"{path}: {error}")
            return None
        self.seconds.append(time.monotonic() - began)
        self.answers[answer.status_code] += 1
        if answer.status_code >= 400 and answer.status_code != 404:  # what a link led to may be gone
            self.faults.append(f"{path}: HTTP {answer.status_code} {answer.text[-2000:]}")
        is_page = answer.headers.get("Content-Type", "").startswith("text/html") and answer.text.strip()
        return html.fromstring(answer.text) if is_page else None


def _sent_by(page: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """What forms, and buttons that send one elsewhere, post: to which address, and which fields."""
    for form in page.forms:
        if form.method == "POST":
            yield form.action or "", dict(form.form_values())
    for button in page.xpath("//button[@formmethod='post']"):
        fields = dict(page.get_element_by_id(button.get("form")).form_values())
        yield button.get("formaction"), fields | {button.get("name"): button.get("value")}


class Curator(Person):
    """Allows names that no pulse has, one after the other."""

    made = 0

    def run(self) -> None:
        self.log_in()
        while not self.world.stopped:
            name = f"curated-{self.made}.example"
            self.send(f"{ADD}?entry={name}", entry=name)
            self.made += 1
            time.sleep(self.random.uniform(0.5, 1.5) * DECIDING)
