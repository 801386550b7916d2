"""med_agent_gym: an agent answers with JSON actions, and code that it validates over tables of
records (MedAgentGym, arXiv 2506.04405)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.recipes.table_qa import table_of
from transforms.sandbox.jobs import Cell, Status
from transforms.stages.trajectories.conversation import Conversation, Seen, ask, consult, run_calls
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.dialogues import Called
from transforms.stages.trajectories.records import Ended
from transforms.text.tables import Table, rendered


@dataclass(kw_only=True)
class ActOnTables(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: attempts whose turns are one action each, until
    code gives the right answer.

    The actions are `request_info`, which looks into the table of the seed (`table`, {columns,
    rows}), also the file `data.csv`; `validate_code`, which runs self-contained code and prints its
    `answer` where it prints nothing; and `debug`, which asks a model about an error, by the
    `debug_prompt`, rendered with `code` and `error`. `cells` is the number of actions.
    """

    debug_prompt: PromptTemplate
    retries: Annotated[int, Field(ge=0)] = 3
    """Turns without a readable action that are asked for again, of an attempt."""
    again: str = 'That is no action: answer with one JSON object, {"action": ..., "params": ...}.'
    """What is said after such a turn."""

    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "no_table")

    def unfit(self, seed: Seed) -> Verdict | None:
        if table_of(seed) is None:
            return reject("no_table", "its column table is {columns, rows}")
        return super().unfit(seed)

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        table = table_of(seed)
        assert table is not None
        text = rendered(table, "csv") + "\n"
        return (*self.prelude, f"with open('data.csv', 'w') as file:\n    _ = file.write({text!r})")

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk, retries = self.begun(seed, sample, start), 0
        talk.agents = {
            "request_info": partial(self.request_info, seed),
            "validate_code": partial(self.validate_code, seed),
            "debug": partial(self.debug, sample),
        }
        while talk.ended is None:
            written = yield from ask(talk)
            if written is None:
                break
            if written.calls and written.calls[0].fault is None:
                yield from run_calls(talk, written.calls)
                if talk.ended is None and talk.final is not None:
                    talk.end(Ended.ANSWERED)
                elif talk.ended is None and self.cells is not None and talk.cells == self.cells:
                    talk.end(Ended.CELLS, f"{talk.cells} actions")
            elif retries == self.retries:
                talk.end(Ended.FORMAT, f"{retries + 1} turns without an action")
            else:
                retries += 1
                talk.tell(self.again)
        return (yield from self.graded(seed, talk))

    def request_info(self, seed: Seed, talk: Conversation, called: Called) -> Steps[Seen]:
        """Shows the columns of the table, its first rows, or the rows with a word."""
        yield from ()
        table, params = table_of(seed), _params(called)
        assert table is not None
        kind, word = str(params.get("info_type", "columns")), str(params.get("keyterm", ""))
        if kind == "columns":
            return Seen(called, json.dumps(table.columns, ensure_ascii=False), False)
        found = [row for row in table.rows if kind != "search" or word in map(str, row)]
        if kind not in ("rows", "search"):
            return Seen(called, "info_type is columns, rows or search", True)
        return Seen(called, rendered(Table(table.columns, tuple(found[:5])), "csv"), False)

    def validate_code(self, seed: Seed, talk: Conversation, called: Called) -> Steps[Seen]:
        """Runs code by itself; what it gives is right or not."""
        code = str(_params(called).get("code", ""))
        seen = yield Cell(code, talk.start)
        printed = seen.stdout.strip()
        if seen.status is Status.OK and not printed:
            seen = yield Cell("print(answer)", seen.after)
            printed = seen.stdout.strip()
        if seen.status is not Status.OK:
            return Seen(called, talk.dialogue.observed(seen), True)
        if (yield from self.grader(seed, printed)) >= 1:
            talk.final = printed
            return Seen(called, f"{printed}\nThat is right.", False)
        return Seen(called, f"{printed}\nThat is not right.", False)

    def debug(self, sample: int, talk: Conversation, called: Called) -> Steps[Seen]:
        """Has a model say what is wrong with code."""
        params = _params(called)
        words = {"code": str(params.get("code", "")), "error": str(params.get("error_msg", ""))}
        said = yield from consult(talk, self.request(sample, self.debug_prompt, **words))
        return Seen(called, said, False)


def _params(called: Called) -> dict[str, Any]:
    params = json.loads(called.text)
    return params if isinstance(params, dict) else {}
