"""explicit_qa: a table is read from its picture, and a question about it is planned, computed with
pandas and explained; every step is kept, and each failure is told apart.

After ExpliCIT-QA (arXiv 2507.11694). Seeds are questions about tables:
`transforms.scenes.seeds.asked` with scenes=[table].
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.tools import Tool, ToolSettings, invoke
from transforms.sandbox.jobs import Job, Result, Status
from transforms.scenes.answers import agrees
from transforms.scenes.readers import TableReader, Text, is_read, require_ocr
from transforms.scenes.seeds import Asked, as_text
from transforms.scenes.table import Table
from transforms.stages.trajectories.conversation import Conversation, Limits, ask, begin
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended
from transforms.text import tables

Rows = tuple[tuple[str, ...], ...]


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
            require_ocr(f"recipe.stages.{self.name}.read", "scene")
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
        scene, rows = about.scene, about.scene.rows
        unread = None
        if self.read == "ocr":
            asked = json.dumps({"scene": scene.model_dump_json()})
            seen = yield from invoke(self.tools, "read", asked)
            rows, unread = tuple(map(tuple, json.loads(seen.text or "[]"))), seen.error
        request = self.request(sample, problem=about.question.text, table=markdown(rows))
        talk = begin(request, self.dialogue, Limits(turns=self.turns))
        talk.data = {
            "scene": scene.model_dump(mode="json"), "drawer": scene.drawer(),
            "asked": about.question.kind, "read": rows,
            "reading": "clean" if rows == scene.rows else "lucky",
        }  # fmt: skip
        if unread is not None:
            return Tried(talk, 0.0, reject("unread", unread))
        verdict = yield from self._answered(talk, rows, about.question.answer)
        return self.tried(talk, float(verdict.kept), verdict)

    def _answered(self, talk: Conversation, rows: Rows, gold: Any) -> Steps[Verdict]:
        """Plays plan, code and explanation; returns why they are no good, or keeps them."""
        if (yield from ask(talk)) is None:
            return talk.verdict
        is_clean = talk.data["reading"] == "clean"
        said = self.code_prompt.rendered("chat", tries=self.tries)
        for _ in range(self.tries):
            talk.add(said.messages[-1])
            written = yield from ask(talk)
            if written is None:
                return talk.verdict
            programs = self.dialogue.read(written.text)
            error = "there is no code in a ```python fence"
            if programs:
                talk.data["program"] = code = programs[-1].code
                result: Result = yield Job(program(code, rows))
                talk.cells += 1
                if result.status is Status.OK and result.output is not None:
                    break
                error = result.ending
            said = self.retry_prompt.rendered("chat", error=error)
        else:
            return reject("fails", error)
        answer = json.loads(result.output)
        talk.final = as_text(answer)
        if not agrees(answer, gold):
            talk.end(Ended.ANSWERED)
            what = f"{talk.final}, not {gold}"[:200]
            return reject("wrong_answer" if is_clean else "misread", what)
        talk.add(self.explain_prompt.rendered("chat", result=talk.final).messages[-1])
        explained = yield from ask(talk)
        if explained is None:
            return talk.verdict
        talk.end(Ended.ANSWERED)
        if not is_read([Text(explained.text, (0, 0, 0, 0))], as_text(gold)):
            return reject("unexplained", f"it does not say {gold}")
        if not is_clean and not self.keeps_lucky:
            return reject("lucky", "the table was misread, the answer is right all the same")
        return keep()


def markdown(rows: Rows) -> str:
    """Returns a table that was read as text; an empty one where nothing was."""
    return tables.rendered(tables.Table(rows[0], rows[1:]), "markdown") if rows else ""


def program(code: str, rows: Rows) -> str:
    """Returns a program in which `df` is the table, numbers as numbers, and whose output is
    `result`."""
    return (
        "import pandas as pd\n"
        f"df = pd.DataFrame({[*rows[1:]]!r}, columns={[*rows[0]]!r})\n"
        "df[df.columns[1:]] = df[df.columns[1:]].apply(pd.to_numeric, errors='coerce')\n"
        f"{code.strip()}\n"
        "output = result.item() if hasattr(result, 'item') else result\n"
    )
