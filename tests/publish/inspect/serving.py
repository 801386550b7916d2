"""The pages of a run, served on the loopback by a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from transforms.publish.catalog import Catalog
from transforms.publish.inspect.web import application


@contextlib.contextmanager
def serving(catalog: Catalog) -> Iterator[str]:
    """The URL of the pages, while it is entered."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # who comes before the server waits for it
    server = uvicorn.Server(uvicorn.Config(application(catalog), log_level="warning"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
