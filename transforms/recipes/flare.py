"""flare: deductions as a logic program and the search that runs it (FLARE, arXiv 2410.11900)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Message, Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.programs.form import literal_input, parse
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise


def faithfulness(search: str, run: str) -> float:
    """Returns how alike two searches are, by their lines in order: 1 where they are the same."""
    one, other = search.strip().split("\n"), run.strip().split("\n")
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@dataclass(kw_only=True)
class Search(MakeExercises):
    """PCollection[Seed] (a problem of `problems`, verified) -> Outcome of Exercise: plan, logic
    program, the search that the solver printed, and the answer."""

    name: str = "search"
    answer_prompt: PromptTemplate
    """Words of the answer, over `rules`, `facts`, `query`, `search` and `answer`."""
    lines: int = 80
    """Lines of a search, at most."""

    reasons: ClassVar[Iterable[str]] = (*FAILED, "no_program", "too_long")

    def episode(self, seed: Seed) -> Steps[Exercise | Verdict]:
        given = literal_input(parse(seed.code or ""))
        if given is None or given.keys() != {"facts", "rules", "query"}:
            return reject("no_program", "seeds come from transforms.programs.deductions.problems")
        result: Result = yield Job(seed.code or "")
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        search = result.stdout.strip("\n")
        if search.count("\n") >= self.lines:
            return reject("too_long", f"{search.count(chr(10)) + 1} lines")
        gold = "True" if result.output == "true" else "False"
        words = self.answer_prompt.rendered("chat", **given, search=search, answer=gold)
        question = Question("search", (gold,), params={"problem": seed.problem, "search": search})
        row = exercise(seed, question, self.prompt)
        answer = Message("assistant", words.messages[-1].content)
        return replace(row, messages=(*row.messages[:-1], answer))
