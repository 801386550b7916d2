"""The site of docs/: it builds without a warning, fits its readers' screens, and asks nobody."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

import transforms
from tests.browser import Tab, browser, needs_browser
from tests.waiting import eventually
from transforms.engine.paths import PROJECT


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Builds a site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    return subprocess.run(
        [*command, str(source), str(site)], cwd=PROJECT, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    site = tmp_path_factory.mktemp("site")
    done = build(PROJECT / "docs", site)
    assert done.returncode == 0, done.stderr
    return site


def test_a_dead_link_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser']\nmyst_heading_anchors = 3\n")
    (tmp_path / "index.md").write_text("# One\n\n[two](two.md) [three](#three)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "'two.md'" in done.stderr and "'three'" in done.stderr


def test_the_reference_has_every_name_of_the_library(site: Path) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    named = {name for kind in inventory if kind.startswith("py:") for name in inventory[kind]}
    assert {f"transforms.{name}" for name in transforms.__all__} - named == set()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Pytest would show a line for each request."""

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":  # the browser asks for it on its own account
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    handler = functools.partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@needs_browser
@pytest.mark.parametrize("width", [380, 1280])
def test_no_page_is_wider_than_the_screen_and_none_asks_anybody_else(
    site: Path, address: str, tab: Tab, width: int
) -> None:
    tab.events.clear()
    tab.size(width)
    over = {}
    pages = sorted(str(page.relative_to(site)) for page in site.rglob("*.html"))
    for page in pages:
        tab.open(address + page)
        over[page] = tab.value(f"document.documentElement.scrollWidth - {width}")
    assert len(pages) > 15
    assert {page: wide for page, wide in over.items() if wide > 0} == {}
    assert tab.faults() == []
    assert [url for url in tab.requests() if not url.startswith((address, "data:"))] == []


@needs_browser
def test_a_search_finds_the_page_that_explains_a_word(address: str, tab: Tab) -> None:
    tab.open(f"{address}search.html?q=unanswered")
    found = "[...document.querySelectorAll('#search-results li a')].map((link) => link.href)"
    assert eventually(lambda: [link for link in tab.value(found) if "/operations.html" in link])
