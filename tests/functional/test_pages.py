"""The pages of a real server: nothing of them is loaded until somebody opens one, and a task is done by the worker."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import requests

from functional.test_serve import KEY, PULSE
from pulsegate.otx.simulator import Simulator
from pulsegate.store import tasks
from pulsegate.store.database import Database
from store.databases import url_of

LOADED = """
import sys
from pulsegate.cli import processes, schedule
print(sorted(one for one in ("flask_babel", "flask_wtf", "wtforms", "babel", "pulsegate.web") if one in sys.modules))
"""


def test_server_process_and_worker_load_nothing_of_the_pages():
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", LOADED], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def log_in(browser: requests.Session, address: str, word: str) -> requests.Response:
    page = browser.get(f"{address}/admin/login", timeout=20)
    token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)[1]
    form = {"csrf_token": token, "name": "admin", "password": word}
    return browser.post(f"{address}/admin/login", form, timeout=20, allow_redirects=False)


def test_log_in_is_limited_as_polls_are_and_the_worker_does_tasks(serve, environment):
    with (
        Simulator([PULSE], api_key=KEY) as otx,
        serve(OTX_API_KEY=KEY, PULSEGATE_OTX__URL=otx.url, PULSEGATE_ADMIN_PASSWORD="right-word") as server,
        requests.Session() as browser,
    ):
        server.wait_for("pull.finished")
        assert f"administration: {server.address}/admin/ (log in as admin)" in server.wait_for("Stop with Ctrl-C")
        assert log_in(browser, server.address, "right-word").status_code == 303
        database = Database(url_of(environment))
        with database.write() as connection:
            task = tasks.start(connection, "pull", {"source": "otx"}, "admin")
        database.close()
        address = f"{server.address}/admin/tasks/{task}"
        deadline = time.monotonic() + 30
        while ">done<" not in (page := browser.get(address, timeout=20).text):
            assert "failed" not in page
            assert time.monotonic() < deadline, page
            time.sleep(0.3)
        assert "0 added, 0 removed" in page
        with requests.Session() as guesser:
            statuses = [log_in(guesser, server.address, f"wrong {number}").status_code for number in range(11)]
        assert statuses == [401] * 10 + [429]
