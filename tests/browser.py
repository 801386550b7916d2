"""Headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


class BrowserError(Exception):
    """The browser refuses what it is asked."""


class Tab:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.events: list[dict[str, Any]] = []
        """What the browser told of its own accord: console messages, errors, requests."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=300))
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(message["error"])
                return dict(message["result"])
            self.events.append(message)

    def size(self, width: int, height: int = 900) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def dark(self, dark: bool) -> None:
        value = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[value])

    def open(self, url: str) -> None:
        """Opens a page and waits until it is there."""
        self.value("window.isLeft = true")
        self.ask("Page.navigate", url=url)
        self._arrive()

    def _arrive(self) -> None:
        """Waits until another page than that which was marked is there."""
        eventually(lambda: self._reads("!window.isLeft && document.readyState === 'complete'"))

    def _reads(self, expression: str) -> Any:
        try:
            return self.value(expression)
        except BrowserError:  # the page is being left
            return None

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str, leads: bool = False) -> None:
        """Presses a key; where it `leads` to another page, waits for that."""
        if leads:
            self.value("window.isLeft = true")
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, ord(key[0].upper()))
        event = {"key": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **event)
        if leads:
            self._arrive()

    def type(self, text: str) -> None:
        self.ask("Input.insertText", text=text)

    def screenshot(self, path: Path, selector: str | None = None) -> None:
        """Takes a picture of the window, or of the first element that a CSS selector finds."""
        more: dict[str, Any] = {}
        if selector is not None:
            box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
            found = self.value(box)
            clip = {name: found[name] for name in ("x", "y", "width", "height")}
            clip["y"] += self.value("scrollY")
            more = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        shot = self.ask("Page.captureScreenshot", format="png", **more)
        path.write_bytes(base64.b64decode(shot["data"]))

    def clipped(self) -> list[str]:
        """What is wider than the place it has: the page itself, or anything that would scroll or
        be cut off."""
        return list(self.value(_CLIPPED))

    def requests(self) -> list[str]:
        """URLs that the browser asked for since `events` was emptied."""
        sent = [e["params"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [told["request"]["url"] for told in sent]

    def faults(self) -> list[str]:
        """Errors and warnings of the console, and requests that failed."""
        self.value("1")
        found = []
        for event in self.events:
            method, told = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown" or method == "Network.loadingFailed":
                found.append(json.dumps(told))
            if method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                found.append(told["entry"]["text"])
        return found


_CLIPPED = """
[...document.querySelectorAll("*")].filter((one) => {
  if (one === document.documentElement) return one.scrollWidth > innerWidth;
  const style = getComputedStyle(one);
  if (style.textOverflow === "ellipsis" || style.display === "inline") return false;
  return one.closest("svg") === null && one.tagName !== "INPUT" && one.tagName !== "SELECT"
    && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.outerHTML.slice(0, 120))
"""


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, with its profile in `folder`."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        + ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        + ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--remote-debugging-port=0"]
        + [f"--user-data-dir={folder}/profile", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder), "TMPDIR": "/tmp"},  # its socket needs a short path
        start_new_session=True,
    )
    try:
        port, path = _devtools(folder / "profile/DevToolsActivePort", process)
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, open_timeout=300) as whole:
            whole.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            found = json.loads(whole.recv(timeout=300))["result"]["targetInfos"]
            page = next(one["targetId"] for one in found if one["type"] == "page")
        with connect(f"ws://127.0.0.1:{port}/devtools/page/{page}", max_size=None) as socket:
            yield Tab(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _devtools(file: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """The port and path that the browser writes down once it listens."""

    def written() -> list[str] | None:
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        found = file.read_text().split() if file.exists() else []
        return found if len(found) == 2 else None

    lines = eventually(written)
    assert lines is not None
    return lines[0], lines[1]
