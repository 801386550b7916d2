"""explicit_qa: a table is read from its picture, and a question about it is planned, computed with
pandas and explained; every step is kept, and each failure is told apart.

After ExpliCIT-QA (arXiv 2507.11694). Seeds are questions about tables:
`transforms.scenes.seeds.asked` with scenes=[table].
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import Message, Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.tools import Tool, ToolSettings, invoke
from transforms.sandbox.jobs import Job, Result, Status
from transforms.scenes.readers import TableReader, Text, is_read
from transforms.scenes.seeds import Asked, as_text
from transforms.scenes.table import Table
from transforms.stages.trajectories.converse import (
    Conversation,
    Converse,
    Limits,
    Tried,
    ask,
    begin,
)
from transforms.stages.trajectories.records import Ended

Rows = Sequence[Sequence[str]]


@dataclass(kw_only=True)
class ExplainTable(Converse):
    """PCollection[Seed] (a question about a table) -> Outcome of Trajectory: plan, pandas code and
    explanation of an answer that is the scene's.

    The prompt is rendered with `problem` and `table`, `code_prompt` with `tries`, `retry_prompt`
    with `error`, and `explain_prompt` with `result`.
    """

    code_prompt: PromptTemplate
    retry_prompt: PromptTemplate
    explain_prompt: PromptTemplate
    read: Literal["ocr", "scene"] = "ocr"
    """Where the table is from: its picture, by OCR (`cotmill[ocr]`), or the scene itself."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Runs of code, at most; each further one is asked for with the error of the one before."""
    keeps_lucky: bool = False
    """Whether rows may have a right answer from a table that was misread in some cell."""
    cells: None = None
    turns: Annotated[int, Field(ge=3)] = 5
    """Requests of an attempt: plan, each try and the explanation."""

    reasons: ClassVar[Iterable[str]] = (
        *Converse.reasons, "no_question", "unread", "fails", "misread", "lucky", "unexplained",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.read == "ocr":
            if find_spec("rapidocr_onnxruntime") is None:
                raise SettingsError(
                    f"recipe.stages.{self.name}.read=ocr needs OCR: pip install 'cotmill[ocr]', or "
                    f"set recipe.stages.{self.name}.read=scene"
                )
            path = f"{TableReader.__module__}.{TableReader.__name__}"
            self.tools = {"read": Tool("read", ToolSettings(function=path, seconds=600))}

    def unfit(self, seed: Seed) -> Verdict | None:
        about = Asked.of(seed)
        if about is None or not isinstance(about.scene, Table):
            return reject("no_question", "seeds are of scenes.seeds.asked with scenes=[table]")
        return None

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        about = Asked.of(seed)
        assert about is not None and isinstance(about.scene, Table)
        rows: Rows = about.scene.rows
        unread = ""
        if self.read == "ocr":
            seen = yield from invoke(
                self.tools, "read", json.dumps({"scene": about.scene.model_dump_json()})
            )
            unread = seen.error or ""
            rows = [] if unread else json.loads(seen.text)
        request = self.request(sample, problem=seed.problem, table=markdown(rows))
        talk = begin(request, self.dialogue, Limits(turns=self.turns))
        clean = [[*row] for row in rows] == [[*row] for row in about.scene.rows]
        talk.data = {
            "scene": about.scene.model_dump(mode="json"), "drawer": about.scene.drawer(),
            "asked": about.question.kind, "read": [[*row] for row in rows],
            "reading": "clean" if clean else "lucky",
        }  # fmt: skip
        if unread:
            return Tried(talk, 0.0, reject("unread", unread))
        verdict = yield from self._answered(talk, rows, as_text(about.question.answer), clean)
        kept = self.keeps_wrong and talk.ended is not Ended.REFUSED
        return Tried(talk, float(verdict.kept), keep() if kept else verdict)

    def _answered(self, talk: Conversation, rows: Rows, gold: str, clean: bool) -> Steps[Verdict]:
        """Plays plan, code and explanation; returns why they are no good, or keeps them."""
        if (yield from ask(talk)) is None:
            return talk.verdict
        talk.add(self._said(self.code_prompt, tries=self.tries))
        error = ""
        for _ in range(self.tries):
            if error:
                talk.add(self._said(self.retry_prompt, error=error))
            written = yield from ask(talk)
            if written is None:
                return talk.verdict
            programs = self.dialogue.read(written.text)
            if not programs:
                error = "there is no code in a ```python fence"
                continue
            talk.data["program"] = code = programs[-1].code
            result: Result = yield Job(program(code, rows))
            talk.cells += 1
            if result.status is Status.OK and result.output is not None:
                break
            error = f"{result.error_type or result.status}: {(result.error or '').strip()[-300:]}"
        else:
            return reject("fails", error[:200])
        talk.final = as_text(json.loads(result.output))
        if not same(talk.final, gold):
            talk.end(Ended.ANSWERED)
            what = f"{talk.final}, not {gold}"[:200]
            return reject("wrong_answer" if clean else "misread", what)
        talk.add(self._said(self.explain_prompt, result=talk.final))
        explained = yield from ask(talk)
        if explained is None:
            return talk.verdict
        talk.end(Ended.ANSWERED)
        if not is_read([Text(explained.text, (0, 0, 0, 0))], gold):
            return reject("unexplained", f"it does not say {gold}")
        if not clean and not self.keeps_lucky:
            return reject("lucky", "the table was misread, the answer is right all the same")
        return keep()

    def _said(self, prompt: PromptTemplate, **words: Any) -> Message:
        return prompt.rendered("chat", **words).messages[-1]


def markdown(rows: Rows) -> str:
    """Returns a table as text.

    >>> print(markdown([["Place", "Jars"], ["Dale", "7"]]))
    | Place | Jars |
    | --- | --- |
    | Dale | 7 |
    """
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines[:1], *(f"| {' | '.join('---' for _ in row)} |" for row in rows[:1]),
                      *lines[1:]])  # fmt: skip


def program(code: str, rows: Rows) -> str:
    """Returns a program in which `df` is the table, numbers as numbers, and whose output is
    `result`."""
    return (
        "import pandas as pd\n"
        f"df = pd.DataFrame({[[*row] for row in rows[1:]]!r}, columns={[*rows[0]]!r})\n"
        "df[df.columns[1:]] = df[df.columns[1:]].apply(pd.to_numeric, errors='coerce')\n"
        f"{code.strip()}\n"
        "output = result.item() if hasattr(result, 'item') else result\n"
    )


def same(answer: str, gold: str) -> bool:
    """Whether an answer is the gold one: a number by value, a name as it is but for case.

    >>> same("7.0", "7"), same("dale", "Dale"), same("70", "7")
    (True, True, False)
    """
    try:
        return float(answer) == float(gold)
    except ValueError:
        return answer.strip().lower() == gold.lower()
