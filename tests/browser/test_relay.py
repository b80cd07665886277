"""A bundle in a real browser: looked at, taken, and polled by a real client; then its sender is forgotten again."""

from __future__ import annotations

from support import poll, read_values

DONE = ".events .badge:text('done')"


def polled(demo, name: str) -> set[str]:
    blocks = poll(demo.address, "subscribed", name, f"{name}-word-1")
    return {value for block in blocks for _, value in read_values(block.content)}


def test_bundle_is_sent_looked_at_taken_and_polled(pages, chromium):
    sender = pages.senders["inland"]
    sender.put(7, "carried-inland.example", name="Carried <b>inland</b>")
    (pages.folder / "inland-1.pgb").write_bytes(sender.bundle())
    words = "--password-stdin"
    pages.run("account", "add", "inner", "--read", "subscribed", words, stdin="inner-word-1\n")
    try:
        assert "carried-inland.example" not in polled(pages, "inner")
        page = pages.page(chromium, "admin")
        complaints: list[str] = []
        page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
        page.click("nav >> text=Relay")
        page.wait_for_url("**/relay/")
        page.keyboard.press("t")
        page.wait_for_url("**/relay/take")
        page.set_input_files("input[type=file]", pages.folder / "inland-1.pgb")
        page.click("text=Look at it")
        page.wait_for_selector("text=Pulses: 1 new, 0 changed, 0 leaving")
        assert "Carried <b>inland</b> (ann)" in page.inner_text("main")
        assert "carried-inland.example" not in polled(pages, "inner")
        page.click("text=Take it and publish")
        page.wait_for_selector("text=The bundle is being taken.")
        page.wait_for_selector(".task .badge:text('done')")
        assert "carried-inland.example" in polled(pages, "inner")
        page.goto("/admin/relay/")
        assert "Number 1 of inland was taken. Pulses: 1 new, 0 changed, 0 withdrawn." in page.inner_text("main")
        page.click("tr:has-text('inland') >> text=Forget")
        page.wait_for_selector("#preview .confirm")
        assert "Pulses of it here: 1." in page.inner_text("#preview")
        page.check("input[name=withdraw]")
        page.click("#preview button:text-is('Forget')")
        page.wait_for_selector("text=The worker forgets inland.")
        page.wait_for_selector(".task .badge:text('done')")
        assert "carried-inland.example" not in polled(pages, "inner")
        page.goto("/admin/relay/")
        assert page.locator("tbody tr:has-text('number'):has-text('inland')").count() == 0
        assert complaints == []
    finally:
        pages.run("account", "remove", "inner")
