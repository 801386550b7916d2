"""A scripted chat endpoint on loopback that goes on for several turns of code, then answers.

It works on `limit` requests at once, each for `seconds`; others wait for their turn, as in a
server with that many sequences. The same messages have the same answer.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from pipelines.benches.synthetic.endpoint import Places, serve
from transforms.engine.ids import derived_seed


def answer(messages: list[dict[str, Any]], turns: int, seed: int = 0) -> str:
    """The next turn of a conversation: code while there are turns left, 1 to `turns` of them by the
    first message, then the number that the last cell showed. Samples of one turn differ."""
    number = derived_seed(0, messages[0]["content"])
    seen = [each["content"] for each in messages if each["role"] == "tool"]
    if len(seen) < 1 + number % turns:
        value = f"sum(x) % {97 + seed % 1000}"
        return f"x.append({value})\nx[-1]" if seen else f"x = [{number}, {seed}]\nx[0]"
    return f"The answer is {seen[-1]}."


def main(limit: int, seconds: float, turns: int) -> None:
    """Serves until stdin ends.

    Args:
        seconds: time that it works on each request.
        turns: turns with code of a conversation, at most.
    """
    asyncio.run(serve(lambda said, seed: answer(said, turns, seed), Places(limit, seconds)))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
