"""What the pages ask the worker for, and what they say of it."""

from __future__ import annotations

import pytest

from pulsegate.store import tasks as stored
from pulsegate.store.locks import WORKER, hold
from pulsegate.web import tasks
from pulsegate.web.access import User


@pytest.fixture
def asked(application, site):
    with application.test_request_context("/"), site.database.write() as connection:
        from flask import g

        g.user = User(1, "carl", "curator")
        return [tasks.published(connection) for _ in range(3)]


def test_decisions_that_wait_for_the_worker_are_published_together(asked, site):
    assert len(set(asked)) == 1
    with site.database.read() as connection:
        task = stored.get(connection, asked[0])
    assert (task.kind, task.account) == ("publish", "carl")


def test_task_says_how_far_it_is_until_it_is_done(logged_in, site, asked):
    browser, address = logged_in("vera"), f"/admin/tasks/{asked[0]}"
    waiting = browser.get(address).text
    assert "waiting" in waiting
    assert "No worker is at work." in waiting
    with hold(site.database, WORKER):
        assert "No worker is at work." not in browser.get(address).text
        with site.database.write() as connection:
            stored.take(connection)
            stored.beat(connection, asked[0], {"step": "publishing", "name": "<b>"})
        running = browser.get(address, headers={"HX-Request": "true"}).text
        assert "Publishing &lt;b&gt;" in running
        assert 'hx-trigger="every 1s"' in running
        assert "<html" not in running
    with site.database.write() as connection:
        stored.finish(connection, asked[0], result={"added": 1234, "removed": 1})
    done = browser.get(address).text
    assert "1,234 added, 1 removed" in done
    assert "hx-trigger" not in done


def test_every_page_shows_what_is_not_done_yet(logged_in, browser, site, asked):
    part = f'hx-get="/admin/tasks/{asked[0]}"'
    assert part in logged_in("vera").get("/admin/audit/").text
    assert part not in browser.get("/admin/login").text
    with site.database.write() as connection:
        stored.finish(connection, asked[0])
    assert part not in logged_in("vera").get("/admin/audit/").text


def test_failure_is_told(logged_in, site, asked):
    with site.database.write() as connection:
        stored.take(connection)
        stored.finish(connection, asked[0], error="it <broke>")
    text = logged_in("vera").get(f"/admin/tasks/{asked[0]}").text
    assert "failed" in text
    assert "it &lt;broke&gt;" in text
