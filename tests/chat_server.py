"""A chat server on the loopback whose every answer is a function of the request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving(reply: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Iterator[str]:
    """A running server; yields its root URL.

    Args:
        reply: (path, body) of a request -> the whole reply.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(reply(self.path, body))

        def _send(self, reply: Any) -> None:
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # a connection beyond it waits for seconds

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def server_by_path(answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Iterator[str]:
    """A running server; yields its root URL.

    Args:
        answer: (path, body) of a request -> the assistant's message (without its role).
    """

    def reply(path: str, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", **answer(path, body)}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "finish_reason": reason, "message": message}
        return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}

    with serving(reply) as url:
        yield url


@contextmanager
def chat_server(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A running server; yields its base URL and the bodies of the requests it was sent.

    Args:
        answer: a request's body -> the assistant's message (without its role).
    """
    asked: list[dict[str, Any]] = []

    def noted(path: str, body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        return answer(body)

    with server_by_path(noted) as url:
        yield f"{url}/v1", asked
