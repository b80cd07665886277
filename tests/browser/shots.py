"""``make screenshots``: each page, light, dark and narrow, and in Japanese, into ``var/screenshots``."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from browser.demo import ADDRESSES, CHROMIUM, Demo, demo

WAYS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 400, "height": 800}, "color_scheme": "light"},
    "ja": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "locale": "ja-JP"},
}


def take(running: Demo, browser: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for way, options in WAYS.items():
        inside, outside = running.page(browser, "admin", **options), running.page(browser, **options)
        for address in ADDRESSES:
            page = outside if address.endswith("/login") else inside
            page.goto(address)
            page.wait_for_load_state("networkidle")
            name = re.sub(r"\W+", "-", address.removeprefix("/admin/")).strip("-") or "front"
            page.screenshot(path=str(folder / f"{name}.{way}.png"), full_page=True)


if __name__ == "__main__":
    target = Path("var/screenshots").absolute()
    with tempfile.TemporaryDirectory() as place, demo(Path(place)) as shown, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take(shown, chromium, target)
        chromium.close()
    sys.stdout.write(f"{target}\n")
