"""A task in a real browser: every page shows it, its progress comes by itself, and the worker ends it."""

from __future__ import annotations

from pulsegate.store import tasks
from pulsegate.store.database import Database


def test_task_is_shown_on_every_page_until_the_worker_has_done_it(pages, chromium):
    page = pages.page(chromium, "carl")
    database = Database(pages.url)
    with database.write() as connection:
        pk = tasks.start(connection, "publish", {}, "carl")
    database.close()
    page.goto("/admin/audit/")
    page.wait_for_selector(".task .badge:text('done')")
    assert page.inner_text(".task .card p:last-child") == "0 added, 0 removed"
    page.goto(f"/admin/tasks/{pk}")
    assert page.inner_text(".task p:last-child") == "0 added, 0 removed"
    page.goto("/admin/audit/")
    assert page.locator(".task").count() == 0
