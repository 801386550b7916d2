"""A scripted endpoint that thinks aloud in the ways that reasoning models do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipelines.benches.synthetic.endpoint import Model

IN_TAGS = "The task is clear. The answer is \\boxed{17}?\n```python\noutput = 17\n```\nI write it."
IN_A_FIELD = "Is it 18? I know the answer."
CORRECTED = (
    "2 + 2 = 5, so the answer is 7.\n\nWait, that is wrong: 2 + 2 = 4. The final answer is "
    "$\\boxed{4}$. No, let me follow the story instead."
)
UNOPENED = "Let me see: it is 19."

WAYS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda text: {"content": f"<think>\n{IN_TAGS}\n</think>\n\n{text}"},
    lambda text: {"content": text, "reasoning_content": IN_A_FIELD},
    lambda text: {"content": f"<think>\n{CORRECTED}\n</think>\n\n{text}"},
    lambda text: {"content": f"{UNOPENED}\n</think>\n\n{text}"},
)
"""The assistant's message for an answer. A request's seed chooses the way."""


@contextmanager
def reasoning_server() -> Iterator[tuple[str, list[bool]]]:
    """A running server; yields its root URL and, for each request, whether it reasoned.

    Below /reasoning/v1 it reasons, below /plain/v1 it gives the same answers without.
    """
    model, lock = Model(), threading.Lock()
    asked: list[bool] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reasons = self.path.startswith("/reasoning/")
            with lock:
                asked.append(reasons)
                text = model.answer(body["messages"][-1]["content"], body["seed"])
            message = WAYS[body["seed"] % len(WAYS)](text) if reasons else {"content": text}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            self._send({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})

        def _send(self, reply: Any) -> None:
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
