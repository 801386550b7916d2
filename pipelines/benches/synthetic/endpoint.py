"""A scripted OpenAI-compatible endpoint on loopback that knows the truth.

It writes the programs of small stories, words them and solves them, as the prompts of the recipe
`caco` ask; `FAULTS` says how often it gets something wrong. The same prompt and seed have the same
answer. It is there to measure everything but the model: it answers at once, or at a fixed rate.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from pipelines.benches.synthetic.problems import WORDS
from transforms.engine.ids import derived_seed

FAULTS = {"syntax": 0.02, "runtime": 0.02, "unused": 0.02, "constant": 0.02, "repeated": 0.04}
"""What is wrong with a program, and how often."""

_WRONG_SOLUTIONS = 0.06

_BACKLOG = 1024
"""Connections that wait to be taken: a client opens one for each of its requests at once."""

_Step = tuple[str, str, Callable[[int, int], int]]

_STEPS: tuple[_Step, ...] = (
    ("Then {n} more are brought.", "{new} = {old} + {n}", lambda x, n: x + n),
    ("Every one of them is then copied so that there are {n} of it.", "{new} = {old} * {n}",
     lambda x, n: x * n),
    ("They are packed in boxes of {n}, and only those that fill no box stay.",
     "{new} = {old} % {n}", lambda x, n: x % n),
    ("They are shared among {n} shops alike, and what one shop gets stays.",
     "{new} = {old} // {n}", lambda x, n: x // n),
    ("Where there are fewer than {n}, the stock is filled up to {n}.", "{new} = max({old}, {n})",
     max),
    ("Where there are more than {n}, all beyond {n} are sold.", "{new} = min({old}, {n})", min),
    ("For every day from 1 to {n}, as many as the day's number are added.",
     "{new} = {old} + sum(range(1, {n} + 1))", lambda x, n: x + n * (n + 1) // 2),
    ("The difference between their number and {n} is what stays.", "{new} = abs({old} - {n})",
     lambda x, n: abs(x - n)),
    ("For every digit of their number {n} are added.", "{new} = {old} + {n} * len(str({old}))",
     lambda x, n: x + n * len(str(x))),
    ("If their number is even, {n} are added.", "{new} = {old} + {n} if {old} % 2 == 0 else {old}",
     lambda x, n: x if x % 2 else x + n),
)  # fmt: skip
"""What happens in a story: its sentence, its line of code, and what it makes of a number."""


@dataclass(frozen=True)
class Story:
    """A problem with its program and the truth about it."""

    code: str
    instruction: str
    answer: int
    values: tuple[int, ...]


def story(draw: random.Random) -> Story:
    """Draws a story of four to seven steps; no two are likely to have one structure."""
    thing, place = draw.choice(WORDS), draw.choice(WORDS)
    steps = draw.choices(_STEPS, k=draw.randint(4, 7))
    names = [f"{word}_{number}" for number, word in enumerate(draw.sample(WORDS, len(steps) + 1))]
    values = [draw.randint(40, 900), *(draw.randint(3, 60) for _ in steps)]
    text = [f"The {place} {draw.choice(WORDS)} has {values[0]} {thing} cards."]
    lines, old, total = [], names[0], values[0]
    for name, value, (sentence, code, step) in zip(names[1:], values[1:], steps, strict=True):
        new = f"after_{name}"
        text.append(sentence.format(n=value))
        lines += [f"# {sentence.format(n=name)}", code.format(new=new, old=old, n=name)]
        old, total = new, step(total, value)
    text.append(f"How many {thing} cards are there in the end?")
    pairs = ", ".join(f'"{name}": {value}' for name, value in zip(names, values, strict=True))
    body = "\n".join(f"    {line}" for line in [*lines, f"return {old}"])
    return Story(
        f"input = {{{pairs}}}\n\ndef solution({', '.join(names)}):\n{body}\n\n"
        "output = solution(**input)",
        " ".join(text),
        total,
        tuple(values),
    )


def spoiled(code: str, fault: str) -> str:
    """Returns a program with one of the `FAULTS`."""
    match fault:
        case "syntax":
            return code.replace("):\n", ")\n", 1)
        case "runtime":
            return code.replace("    return ", "    return 1 // 0 + ", 1)
        case "unused":
            return code.replace('input = {"', 'input = {"never_read": 5, "', 1).replace(
                "def solution(", "def solution(never_read, ", 1
            )
        case "constant":
            return code.replace("    return ", "    return 7 + 0 * ", 1)
    return code


class Model:
    """Answers prompts, remembering the stories that it told."""

    def __init__(self) -> None:
        self._by_code: dict[str, Story] = {}
        self._by_instruction: dict[str, Story] = {}

    def answer(self, prompt: str, seed: int) -> str:
        """Returns a program, the wording of the program shown last, or a solution."""
        draw = random.Random(derived_seed(seed, prompt))
        if "Word the problem that this last program solves" in prompt:
            code = prompt.rpartition("```python\n")[2].partition("\n```")[0].strip()
            return self._by_code[code].instruction
        if prompt.endswith(r"put the final answer within \boxed{}."):
            instruction = prompt.partition("\n\nReason step by step")[0].strip()
            return solution(self._by_instruction[instruction], draw)
        return f"```python\n{self._program(draw)}\n```"

    def _program(self, draw: random.Random) -> str:
        fault = draw.choices((*FAULTS, ""), (*FAULTS.values(), 1 - sum(FAULTS.values())))[0]
        told = story(random.Random(draw.randrange(8)) if fault == "repeated" else draw)
        code = spoiled(told.code, fault)
        self._by_code[code] = self._by_instruction[told.instruction] = told
        return code


def solution(told: Story, draw: random.Random) -> str:
    """Returns a worked solution; some come to a wrong answer."""
    answer = told.answer + (draw.randint(1, 9) if draw.random() < _WRONG_SOLUTIONS else 0)
    values = ", ".join(map(str, told.values))
    return (
        f"The problem states the numbers {values}. We start with {told.values[0]} and apply what "
        "happens in the order in which the story tells it. Each step changes the number that "
        "the next one begins with, and nothing else is asked.\n"
        f"In the end there are {answer} of them.\nThe final answer is $\\boxed{{{answer}}}$."
    )


class Till:
    """Serves requests one after the other, in the order of their arrival, at a fixed rate.

    Args:
        rate: requests per second; infinite for a till at which nobody waits.

    >>> till = Till(rate=2)
    >>> till.due(10.0), till.due(10.1), till.due(19.5)
    (10.5, 11.0, 20.0)
    >>> till.busy
    0.15
    """

    def __init__(self, rate: float) -> None:
        self._seconds = 1 / rate
        self._begun: float | None = None
        self._free = 0.0
        self._served = 0

    def due(self, now: float) -> float:
        """Returns when a request that comes now is answered."""
        if self._begun is None:
            self._begun = now
        self._served += 1
        self._free = max(now, self._free) + self._seconds
        return self._free

    @property
    def busy(self) -> float:
        """The share of the time between the first request and the last answer in which one was
        served."""
        return self._served * self._seconds / (self._free - (self._begun or 0.0) or 1.0)


class Places:
    """Works on `limit` requests at once, in the order of their arrival, and on each for `seconds`.

    A place that is free again is taken in that moment by the request that has waited longest, as
    in a server that schedules its requests anew for every token. What the process of the endpoint
    takes for itself is not counted.

    >>> places = Places(limit=1, seconds=2)
    >>> places.due(10.0), places.due(11.0), places.due(20.0)
    (12.0, 14.0, 22.0)
    >>> places.busy
    [(10.0, 1), (14.0, 0), (20.0, 1), (22.0, 0)]
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._free = deque([-math.inf] * limit)  # all take as long: the first taken is free first
        self._changes: Counter[float] = Counter()

    def due(self, now: float) -> float:
        """Returns when a request that comes now is answered."""
        begun = max(now, self._free.popleft())
        self._free.append(begun + self._seconds)
        self._changes[begun] += 1
        self._changes[begun + self._seconds] -= 1
        return begun + self._seconds

    @property
    def busy(self) -> list[tuple[float, int]]:
        """(time, requests worked on from then on) of each change, those to come included."""
        changes = sorted((time_, by) for time_, by in self._changes.items() if by)
        sums = accumulate(by for _, by in changes)
        return [(time_, number) for (time_, _), number in zip(changes, sums, strict=True)]


class Line(Protocol):
    """Says when requests are answered."""

    def due(self, now: float) -> float: ...

    @property
    def busy(self) -> Any: ...


Answer = Callable[[list[dict[str, Any]], int], str]
"""(messages, seed) -> response."""


class Answers(Protocol):
    """A scripted model."""

    def answer(self, prompt: Any, seed: int) -> str:
        """Returns the response to the content of the last message."""


def of_last(model: Answers) -> Answer:
    """Has a model answer the content of the last message."""
    return lambda messages, seed: model.answer(messages[-1]["content"], seed)


class _Http(asyncio.Protocol):
    """As much of HTTP/1.1 as one client library needs: requests of stated length, kept alive."""

    def __init__(self, answer: Answer, line: Line) -> None:
        self._answer, self._line, self._received = answer, line, b""
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + size:
                return
            body = self._received[end + 4 : end + 4 + size]
            self._received = self._received[end + 4 + size :]
            if body:
                due = self._line.due(self._loop.time())
                self._loop.call_at(due, self._send, self._reply(body))
            else:
                models = [{"id": "scripted", "object": "model"}]
                self._send({"object": "list", "data": models, "busy": self._line.busy})

    def _send(self, reply: dict[str, Any]) -> None:
        text = json.dumps(reply).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
        )

    def _reply(self, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        messages = asked["messages"]
        text = self._answer(messages, asked.get("seed") or 0)
        used = {
            "prompt_tokens": len(messages[-1]["content"]) // 4,
            "completion_tokens": len(text) // 4,
        }
        return {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {**used, "total_tokens": sum(used.values())},
        }


async def serve(answer: Answer, line: Line) -> None:
    """Serves on a free port of loopback, which the first line of stdout names, until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Http(answer, line), "127.0.0.1", 0, backlog=_BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else math.inf
    asyncio.run(serve(of_last(Model()), Till(rate)))
