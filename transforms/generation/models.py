"""What an engine stands on: a loaded model or an open endpoint, and what it replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from transforms.errors import BackendError
from transforms.generation.requests import Request, Response

Reply = Response | BackendError
"""What becomes of a request: its response, or the end of the engine itself."""


class Model(Protocol):
    """A loaded model or an open endpoint. Many engines may use one, from any thread."""

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        """Begins `request` and returns at once; `reply` is called once, from another thread."""

    def close(self) -> None:
        """Frees the model and ends every thread and process of it."""


def failed(request: Request, engine: str, error: str, seconds: float) -> Response:
    """Returns the response of a request that failed alone."""
    return Response(
        id=request.id,
        stage=request.stage,
        model=request.model,
        engine=engine,
        text="",
        finish_reason="error",
        error=" ".join(error.split())[:500],
        prompt_tokens=0,
        generated_tokens=0,
        seconds=seconds,
    )
