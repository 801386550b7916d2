"""table_qa: questions about tables that are shown in many forms, graded by a rule where there is a
reference and else by criteria (TableGPT-R1, arXiv 2512.20312)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import unanswered
from transforms.models.settings import SamplerSettings
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended, Trajectory
from transforms.text.tables import FORMS, Table, rendered


@dataclass(kw_only=True)
class AskTable(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse` about the table in the seed's
    `table`, {columns, rows}; it is the data frame `df` of the session, too.

    Each attempt is shown the table in a form of its own; the prompt is rendered with `table`. A
    seed without an answer is graded later, by its `criteria` (`JudgeOpen`).
    """

    forms: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(FORMS)
    """Forms that a table is shown in; each attempt draws one."""

    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "no_table")

    def unfit(self, seed: Seed) -> Verdict | None:
        if (table := table_of(seed)) is None or not table.rows:
            return reject("no_table", "its column table is {columns, rows}")
        if seed.answer is None and not json.loads(seed.metadata).get("criteria"):
            return reject("no_reference", "the seed has neither an answer nor criteria")
        return None

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        table = table_of(seed)
        assert table is not None
        made = f"import pandas as pd\ndf = pd.DataFrame({table.records!r})"
        return (*self.prelude, made)

    def form(self, seed: Seed, sample: int) -> str:
        """The form in which an attempt is shown the table."""
        return self.forms[derived_seed(self.run_seed, "form", seed.id, sample) % len(self.forms)]

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        table = table_of(seed)
        assert table is not None
        return {**super().words(seed, sample), "table": rendered(table, self.form(seed, sample))}

    def begun(self, seed: Seed, sample: int, start: tuple[str, ...] = ()) -> Conversation:
        talk = super().begun(seed, sample, start)
        criteria = [] if seed.answer is not None else json.loads(seed.metadata).get("criteria")
        talk.data |= {"form": self.form(seed, sample), "stratum": seed.kind, "criteria": criteria}
        return talk

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        if seed.answer is None and talk.ended is Ended.ANSWERED and talk.answer is not None:
            return Tried(talk, 0.0, keep())
        return (yield from super().graded(seed, talk))


def table_of(seed: Seed) -> Table | None:
    """Returns the table that a seed is about; None where it has none."""
    table = json.loads(seed.metadata).get("table")
    try:
        return Table.of(table["columns"], table["rows"])
    except (TypeError, KeyError, ValueError):
        return None


@dataclass(kw_only=True)
class JudgeOpen(ModelEpisode):
    """PCollection[Trajectory] -> Outcome of the same: answers without a reference that meet their
    criteria, as a model finds; answers that a rule has graded go through unseen.

    The prompt is rendered with `problem`, `answer` and `criteria`; the judge gives each criterion a
    line that ends in yes or no. The score is the share of yes.
    """

    name: str = "judge"
    sampler: SamplerSettings
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.75
    """Share of the criteria that an answer meets, at least; the paper's weights are not known."""

    reads: ClassVar[type] = Trajectory
    reasons: ClassVar[Iterable[str]] = ("criteria_not_met",)

    def episode(self, row: Trajectory) -> Steps[Trajectory | Verdict]:
        criteria = json.loads(row.data).get("criteria")
        if row.reference is not None or not criteria:
            return row
        words = {"problem": row.problem, "answer": row.messages[-1].content, "criteria": criteria}
        responses = yield self.requests(self.sampler, **words)
        if lost := unanswered(responses):
            return lost
        said = [met(response.text, len(criteria)) for response in responses]
        score = sum(said) / len(said)
        if score < self.at_least:
            return reject("criteria_not_met", f"{score:.2f} of {len(criteria)} criteria")
        return replace(row, score=score, **with_calls(row.calls, *self.calls(*responses)))


def met(text: str, count: int) -> float:
    """Returns the share of criteria that a judge's text finds met; a line that is missing is a no.

    >>> met("1. It names the shop: yes\\n2. It says why: no", 2)
    0.5
    """
    lines = re.findall(
        r"^[^\S\n]*([0-9]{1,9})[.):].*\b(yes|no)[^\w\n]*$", text, re.MULTILINE | re.IGNORECASE
    )
    votes = {int(number): vote.lower() == "yes" for number, vote in lines}
    return sum(votes.get(number, False) for number in range(1, count + 1)) / count


def stratum(row: Trajectory) -> str:
    """Returns what kind of question a row answers, and in which form its table was shown."""
    data = json.loads(row.data)
    return f"{data['stratum']}, {data['form']}"
