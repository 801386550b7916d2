"""A small OpenAI-compatible server on the loopback whose answers go wrong on purpose."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import eventually


class FaultServer:
    """Answers a completion by what its prompt says, and remembers what it was asked.

    A prompt's first word is its fault: a status such as `429` or `500`, `half`, `empty`, `hang` (no
    answer until the client closes the connection),
    `once` (a 429 with Retry-After the first time, well after that), `limited` (the same without
    Retry-After), `long` (a 400 for a context that is too short), `filtered`, `refused`, `unlucky`
    (half an answer the first time), `null` (no content), `reset` (the connection is cut), or any
    other word for a good answer. While `down`, every answer is a 503.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Good answers, by prompt."""
        self.at: dict[str, list[float]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.open = 0
        self.most_open = 0
        self.down = False
        self.gone = False
        self.connections = 0
        self.lock = threading.Lock()

    def total(self) -> int:
        """How many requests have come; `asked` may grow while it is summed up."""
        with self.lock:
            return self.asked.total()

    def settle(self) -> None:
        """Waits until everything that clients sent before they were killed is counted, even what
        the kernel holds of it: connections are taken up in their order."""
        last = http.client.HTTPConnection(self.base_url.split("/")[2])
        last.request("GET", "/")
        last.getresponse().read()
        last.close()
        eventually(lambda: not self.connections)


def first_word(prompt: str) -> str:
    return prompt.split()[0]


@contextmanager
def fault_server(
    answer: Callable[[str], str] = lambda prompt: f" good: {prompt}",
    fault: Callable[[str], str] = first_word,
    port: int = 0,
) -> Iterator[FaultServer]:
    """A running server; `answer` gives the text of a good answer to a prompt, `fault` its fault.
    Port 0 is any that is free."""
    state = FaultServer("")

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # a connection beyond it waits for seconds

        def process_request(self, request: Any, client_address: Any) -> None:
            with state.lock:
                state.connections += 1
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            with state.lock:
                state.connections -= 1

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        _counted = False

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send(404, {"error": {"message": "there is no /models here"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if state.gone:  # a connection that outlived the server
                self.close_connection = True
                return
            prompt = body.get("prompt") or body["messages"][0]["content"]
            with state.lock:
                state.asked[prompt] += 1
                state.at.setdefault(prompt, []).append(time.monotonic())
                state.bodies.append(body)
                state.open += 1
                state.most_open = max(state.most_open, state.open)
                self._counted = True
                again = state.asked[prompt] > 1
            try:
                self._answer(fault(prompt), again, prompt)
            finally:
                self._close()

        def _close(self) -> None:
            """Counts the request as open no more: before its answer lets the next one be sent."""
            with state.lock:
                state.open -= self._counted
                self._counted = False

        def _answer(self, fault: str, again: bool, prompt: str) -> None:
            if state.down:
                self._send(503, {"error": {"message": "down"}})
            elif fault == "once" and not again:
                self._send(429, {"error": {"message": "slow down"}}, {"Retry-After": "1"})
            elif fault == "limited" and not again:
                self._send(429, {"error": {"message": "slow down"}})
            elif fault == "later":
                self._send(429, {"error": {"message": "come back"}}, {"Retry-After": "7200"})
            elif fault == "long":
                said = {"message": "too many tokens", "code": "context_length_exceeded"}
                self._send(400, {"error": said})
            elif fault.isdigit():
                self._send(int(fault), {"error": {"message": "it broke"}})
            elif fault == "unlucky" and not again or fault == "half":
                self._write(200, b'{"id": "1", "choices": [{"text": "hal')
            elif fault == "empty":
                self._send(200, {"id": "1", "choices": []})
            elif fault == "hang":
                with contextlib.suppress(OSError):
                    self.rfile.read(1)  # nothing comes but the end of the connection
                self.close_connection = True
            elif fault == "reset":
                linger = struct.pack("ii", 1, 0)  # the kernel sends RST, nothing else
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
            else:
                time.sleep(0.05)
                choice = {"index": 0, "finish_reason": "stop", "text": answer(prompt)}
                choice["message"] = {"role": "assistant", "content": choice["text"]}  # type: ignore[assignment]
                if fault == "filtered":
                    choice["finish_reason"] = "content_filter"
                if fault == "refused":
                    choice["message"]["refusal"] = "I would rather not"  # type: ignore[index]
                if fault == "null":
                    choice["text"] = choice["message"]["content"] = None  # type: ignore[index]
                else:
                    with state.lock:
                        state.answered[prompt] += 1
                usage: dict[str, Any] = {"prompt_tokens": 3, "completion_tokens": 2}
                usage |= {"total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}}
                self._send(200, {"id": "1", "choices": [choice], "usage": usage})

        def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            self._write(status, json.dumps(body).encode(), headers)

        def _write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self._close()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = Server(("127.0.0.1", port), Handler)
    state.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.gone = True
        server.shutdown()
        server.server_close()
        thread.join()
