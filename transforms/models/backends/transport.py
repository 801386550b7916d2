"""JSON over HTTP to an OpenAI-compatible endpoint, by aiohttp."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from transforms.engine.machine import on_loopback
from transforms.models.backends.endpoint_replies import Complaint, complaint, read_json
from transforms.models.backends.places import Place

_CONNECT_SECONDS = 30.0
_KEEP_ALIVE_SECONDS = 5.0
_ACCOUNT = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
"""Headers, and the environment variables that set them, of OpenAI's own endpoint."""


class Transport:
    """Connections to an endpoint, for use on one event loop; made in a coroutine of that loop.

    Uses the proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`, …), but not for an address of
    this machine, which another machine cannot reach.

    Follows redirects that keep the question what it is. The certificates that count are the
    system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. (The official client takes twice the
    CPU time, and a second to import.)

    Args:
        timeout: longest silence in seconds, of a server that is reached.
        connections: most connections open at once.
    """

    def __init__(self, place: Place, *, timeout: float, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, keepalive_timeout=_KEEP_ALIVE_SECONDS
            ),
            timeout=aiohttp.ClientTimeout(
                connect=timeout, sock_connect=min(_CONNECT_SECONDS, timeout), sock_read=timeout
            ),
        )
        self.move(place)

    def move(self, place: Place) -> None:
        """Asks another place from now on."""
        url, _, self._query = place.base_url.partition("?")
        self._url, self._setting = url.rstrip("/"), place.setting
        self._headers = _headers(place)
        # aiohttp's own trust_env asks a thread for the proxy of each request, and adds passwords
        # from ~/.netrc, which it then refuses to send beside a key.
        self._proxy = _proxy(self._url)

    async def get(self, path: str) -> Any:
        """Returns the JSON value at a path below the base URL; raises as `post` does."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Returns the JSON value of the reply to a JSON object.

        Raises:
            Complaint: the status is an error's, or the endpoint sends requests elsewhere.
            NoAnswer: the reply is not JSON.
            aiohttp.ClientError, OSError: no reply, or half of one; `ClientConnectorError` where
                nobody listens, and TimeoutError, which is an OSError, after `timeout` of silence.
        """
        return await self._ask("POST", path, json.dumps(body).encode())

    async def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        url = f"{self._url}{path}?{self._query}".rstrip("?")
        try:
            async with self._session.request(
                method, url, data=body, headers=self._headers, proxy=self._proxy
            ) as reply:
                content = await reply.read()
        except (aiohttp.TooManyRedirects, aiohttp.RedirectClientError) as error:
            raise Complaint(302, f"to {url}, and on without end or to no address") from error
        # A redirect may turn a question into a visit, and takes the key off on the way elsewhere.
        if reply.history and (reply.method != method or reply.status >= 400):
            there = reply.url.with_user(None).with_query(None)  # without what may be secret
            raise Complaint(reply.history[0].status, f"to {there}")
        if not 200 <= reply.status < 300:
            raise complaint(reply.status, reply.headers, content)
        return read_json(content, self._setting, reply.charset)

    async def close(self) -> None:
        await self._session.close()


def _proxy(url: str) -> str | None:
    proxies, parts = getproxies(), urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or on_loopback(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _headers(place: Place) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {name: value for name, key in _ACCOUNT.items() if (value := os.environ.get(key))}
    if urlsplit(place.base_url).username is None:  # a user and password in the URL count instead
        headers["Authorization"] = f"Bearer {place.api_key}"
    return {**headers, **place.headers}
