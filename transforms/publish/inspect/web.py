"""Pages to browse a run: its funnel, lists of records, one record's life."""

from __future__ import annotations

import math
import os
import re
import socket
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from transforms.engine.errors import CotmillError, SettingsError
from transforms.images.blobs import MIMES
from transforms.publish.catalog import FINAL, Catalog, End, Query
from transforms.publish.fields import fields_of, turns_of
from transforms.publish.inspect.answers import Answer
from transforms.publish.inspect.lives import life
from transforms.publish.inspect.words import gist, outcome
from transforms.publish.pages import environment

ROWS = 50
"""Records on a page."""
LOOPBACK = "127.0.0.1"
_PAGES = Path(__file__).parent / "pages"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""What models wrote is escaped; should some of it get through, the browser runs nothing of it."""


def application(catalog: Catalog) -> Starlette:
    """Returns the pages of a run as an ASGI application.

    It answers to names of the loopback alone, so that no page elsewhere can read it by a name that
    points here.
    """
    pages = _Pages(catalog)
    return Starlette(
        routes=[
            Route("/", pages.funnel),
            Route("/records", pages.records),
            Route("/record/{id:path}", pages.record),
            Route("/picture/{name}", pages.picture),
            Route("/keys.js", lambda _: FileResponse(_PAGES / "keys.js", headers=_HEADERS)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])],
        exception_handlers={CotmillError: _refusal},
    )


def _refusal(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=404, headers=_HEADERS)


class _Pages:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        shown = environment(_PAGES, lambda picture: f"/picture/{picture.name}")
        shown.filters.update(
            gist=gist, outcome=outcome, fields=fields_of, turns=turns_of, said=_said
        )
        self._templates = Jinja2Templates(env=shown)

    def _page(self, request: Request, name: str, **values: Any) -> Response:
        manifest, stages = self._catalog.manifest, self._catalog.stages
        ended = {
            End.ACCEPTED: manifest.get("accepted", 0),
            End.REJECTED: sum(sum(stage["rejected"].values()) for stage in stages),
            End.UNANSWERED: sum(stage.get("unanswered", 0) for stage in stages),
        }
        shared = {
            "manifest": manifest,
            "recipe": manifest.get("recipe") or manifest.get("command"),
            "root": self._catalog.run.root,
            "ends": [(end, count) for end, count in ended.items() if count],
        }
        rendered = self._templates.TemplateResponse(
            request, f"{name}.html.jinja", {**shared, **values}, headers=_HEADERS
        )
        return rendered

    def funnel(self, request: Request) -> Response:
        return self._page(request, "funnel", segments=self._catalog.segments)

    def records(self, request: Request) -> Response:
        asked = dict(request.query_params)
        query, page = _query(asked), max(1, _whole(asked.get("page")))
        listing = self._catalog.find(query, (page - 1) * ROWS, ROWS)
        stages = self._catalog.stages
        kinds = self._catalog.manifest.get("kinds") or []
        return self._page(
            request,
            "records",
            query=query,
            total=listing.total,
            states=listing.states,
            page=page,
            pages=max(1, math.ceil(listing.total / ROWS)),
            page_url=lambda number: f"/records?{urlencode({**asked, 'page': number})}",
            all_ends=[*FINAL, End.KEPT],
            stages=[stage["name"] for stage in stages],
            reasons=sorted({reason for stage in stages for reason in stage["rejected"]}),
            kinds=[row["kind"] for row in kinds if row["kind"]],
        )

    def record(self, request: Request) -> Response:
        found = life(self._catalog, request.path_params["id"])
        shown = sum(len(answers) for step in found.steps for answers in step.asked)
        return self._page(request, "record", life=found, unshown=found.answers - shown)

    def picture(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = re.fullmatch(r"[0-9a-f]{64}\.(\w+)", name)
        if found is None or found[1] not in MIMES:
            raise SettingsError(f"{name} is no picture")
        data = self._catalog.blobs.named(name)
        return Response(data, media_type=MIMES[found[1]], headers=_HEADERS)


def _said(answer: Answer) -> dict[str, Any]:
    """An answer as a turn."""
    return {**asdict(answer), "role": "assistant", "content": answer.text}


def _query(asked: dict[str, str]) -> Query:
    """The filters of a URL; those that are empty or no such value let all pass."""
    texts = {
        name: asked.get(name) or None for name in ("stage", "reason", "kind", "search", "seed")
    }
    end = asked.get("end")
    return Query(
        end=End(end) if end in list(End) else None,
        min_agreement=_share(asked.get("min_agreement")),
        max_agreement=_share(asked.get("max_agreement")),
        **texts,
    )


def _share(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 1


def serve(catalog: Catalog, port: int, say: Callable[[str], None]) -> None:
    """Serves the pages to this machine until Ctrl-C; opens them in a browser where there is one.

    Args:
        port: 0 for any free one.
        say: is given the line that tells where the pages are.

    Raises:
        SettingsError: the port is in use.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen()  # a browser that opens before the server is ready waits
    except OSError as error:
        listening.close()
        raise SettingsError(f"port={port}: {error.strerror}; port=0 takes any free one") from None
    url = f"http://{LOOPBACK}:{listening.getsockname()[1]}/"
    say(f"{url} shows {catalog.run.root}; Ctrl-C ends it")
    if sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(url)
    config = uvicorn.Config(application(catalog), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])
