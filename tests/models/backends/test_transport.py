"""Requests to an endpoint honour the environment's proxies, its account and the URL's password."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from transforms.models.backends.places import Place
from transforms.models.backends.transport import Transport


class _Server(BaseHTTPRequestHandler):
    asked: list[tuple[str, dict[str, str]]] = []

    def do_POST(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/old"):
            self.send_response(307)
            self.send_header("Location", "/v1/chat")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    _Server.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def _ask(base_url: str) -> tuple[str, dict[str, str]]:
    """Asks once; returns the path and the headers that the last server was asked with."""

    async def ask() -> None:
        transport = Transport(Place(base_url, "key"), timeout=120, connections=1)
        try:
            await transport.post("/chat", {})
        finally:
            await transport.close()

    asyncio.run(ask())
    return _Server.asked[-1]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_proxy_of_the_environment_is_asked(
    address: str, monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, scheme + address)
    assert _ask("http://endpoint.invalid/v1")[0] == "http://endpoint.invalid/v1/chat"


def test_a_host_without_a_proxy_is_asked_itself(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ".other,.invalid")
    with pytest.raises(aiohttp.ClientConnectorDNSError):
        _ask("http://endpoint.invalid/v1")


def test_a_server_on_this_machine_is_asked_without_the_proxy(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert _ask(f"http://{address}/v1")[0] == "/v1/chat"


def test_the_key_is_sent_whatever_netrc_holds(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login user password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _ask(f"http://{address}/v1/")[1]["Authorization"] == "Bearer key"


def test_a_user_and_password_in_the_url_are_sent_in_place_of_the_key(address: str) -> None:
    assert _ask(f"http://user:password@{address}/v1")[1]["Authorization"].startswith("Basic ")


def test_the_account_of_the_environment_is_sent(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    assert _ask(f"http://{address}/v1")[1]["OpenAI-Organization"] == "org-1"


def test_a_redirect_is_followed_with_its_body(address: str) -> None:
    assert _ask(f"http://{address}/old")[0] == "/v1/chat"
    assert [path for path, _ in _Server.asked] == ["/old/chat", "/v1/chat"]
