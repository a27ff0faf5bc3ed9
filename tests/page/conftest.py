"""A real browser without a window, for every test of a page, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Visit = Callable[..., "Page"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; as long as these tests run, for its event loop is in no other test's way."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(_PROGRAMS)}")
    rooted = hasattr(os, "geteuid") and os.geteuid() == 0  # its sandbox wants another user
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if rooted else []
        launched = playwright.chromium.launch(executable_path=program, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """Opens a page of a file; when the test ends, it must not have said or asked for anything."""
    said: list[str] = []
    asked: list[str] = []
    contexts: list[Any] = []

    def _visit(text: str, width: int = 1280, height: int = 900, **options: Any) -> Page:
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page: Page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            settle(page)
        return page

    yield _visit
    for context in contexts:
        context.close()
    assert not said
    assert {url for url in asked if not url.startswith("data:")} <= {
        (tmp_path / f"page{place}.html").as_uri() for place in range(len(contexts))
    }


def settle(page: Page) -> None:
    """Until what follows a change of size has been drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
