"""A scripted chat endpoint on loopback that goes on for several turns of code, then answers.

It works on `limit` requests at once, each for `seconds`; others wait for their turn, as in a
server with that many sequences. The same messages have the same answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiohttp import web

from transforms.engine.ids import derived_seed

PATH = "/busy"
"""Where GET gives [time, requests worked on] of each change since the last GET, as JSON."""


def answer(messages: list[dict[str, Any]], turns: int, seed: int = 0) -> str:
    """The next turn of a conversation: code while there are turns left, 1 to `turns` of them by the
    first message, then the number that the last cell showed. Samples of one turn differ."""
    number = derived_seed(0, messages[0]["content"])
    seen = [each["content"] for each in messages if each["role"] == "tool"]
    if len(seen) < 1 + number % turns:
        value = f"sum(x) % {97 + seed % 1000}"
        return f"x.append({value})\nx[-1]" if seen else f"x = [{number}, {seed}]\nx[0]"
    return f"The answer is {seen[-1]}."


class Endpoint:
    """Answers requests, `limit` at once, and notes how many it works on.

    Args:
        seconds: time that it works on each.
        turns: turns with code of a conversation, at most.
    """

    def __init__(self, limit: int, seconds: float, turns: int) -> None:
        self._seconds, self._turns = seconds, turns
        self._places = asyncio.Semaphore(limit)
        self._busy = 0
        self._changes: list[tuple[float, int]] = []

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get(PATH, self._told)
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "scripted"}]})

    async def _told(self, request: web.Request) -> web.Response:
        changes, self._changes = self._changes, []
        return web.json_response(changes)

    async def _chat(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        async with self._places:
            self._change(1)
            await asyncio.sleep(self._seconds)
            self._change(-1)
        text = answer(asked["messages"], self._turns, asked["seed"])
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        return web.json_response({"object": "chat.completion", "choices": [choice], "usage": usage})

    def _change(self, by: int) -> None:
        self._busy += by
        self._changes.append((time.time(), self._busy))


async def serve(limit: int, seconds: float, turns: int) -> None:
    """Serves on a free port of loopback, which the first line of stdout names, until stdin ends."""
    runner = web.AppRunner(Endpoint(limit, seconds, turns).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
