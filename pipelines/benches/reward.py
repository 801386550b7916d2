"""cotmill bench reward: completions graded per second, and whether Verify judges them alike."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from pydantic import Field

from pipelines.benches.planted.benchmark import as_executed, attempts_at
from pipelines.benches.planted.cases import make_cases
from pipelines.benches.planted.faults import RIGHT, Planted, plant
from pipelines.benches.programs import shipped_seeds
from pipelines.benches.shown import plain
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.models.driver import drive
from transforms.programs.checks import FilterSettings, FormOf, form_checks
from transforms.publish.reward import Mode, rewards, undecided
from transforms.recipes.caco.mark import mark
from transforms.recipes.caco.verify import VerifySettings, judge_agreement
from transforms.sandbox.sandbox import Job, Sandbox
from transforms.sandbox.settings import SandboxSettings
from transforms.text.answers import answer_type
from transforms.text.reasoning import judge_reasoning

MODES: tuple[Mode, ...] = ("auto", "none")
ONE_ATTEMPT = VerifySettings(mode="cot", min_agreement=1, rounds=1)


class BenchRewardSettings(Group):
    """Everything `cotmill bench reward` can be told."""

    seeds: int = Field(ge=2, description="shipped seeds that completions are planted in, at most")
    algebra: int = Field(ge=1, description="completions whose answer only algebra can judge")
    sandbox: SandboxSettings
    filter: FilterSettings


SETTINGS = BenchRewardSettings


@dataclass(frozen=True)
class Graded:
    """Completions with known faults, and whether each is accepted as the only attempt."""

    planted: Sequence[Planted]
    """One for each completion, which is its first attempt."""
    by_verify: Sequence[bool]

    @property
    def completions(self) -> list[str]:
        return [record.attempts[0] for record in self.planted]

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the rows that they are completions of."""
        outputs = [record.output or "" for record in self.planted]
        return {
            "instruction": [record.instruction for record in self.planted],
            "answer": outputs,
            "answer_type": list(map(answer_type, outputs)),
        }


def planted_attempts(seeds: Sequence[Seed], sandbox: SandboxSettings) -> list[Planted]:
    """Plants faults in seeds: a record with its program's output for each different attempt.

    Records whose program fails are left out: none is published.
    """
    with Sandbox(sandbox) as box:
        records = plant(make_cases(seeds, 0, box))
        ran = box.run(Job(record.code) for record in records)
        return [
            replace(record, attempts=(text,), input="{}", output=result.output)
            for record, result in zip(records, ran, strict=True)
            if result.output is not None
            for text in dict.fromkeys(record.attempts)
        ]


def square_roots(count: int) -> list[Planted]:
    """Right attempts that only algebra can tell to be right."""
    said = "The side times itself is {0}, so it is $\\sqrt{{{0}}}$.\nThe answer is $\\sqrt{{{0}}}$."
    return [
        Planted(
            id=str(area),
            fault=RIGHT,
            family=RIGHT,
            reasons=(),
            code="",
            instruction=f"A square has an area of {area}. How long is its side?",
            attempts=(said.format(area),),
            input="{}",
            output=repr(math.sqrt(area)),
        )
        for area in (number * number + 1 for number in range(2, count + 2))
    ]


def judged_alone(
    planted: Sequence[Planted], filter: FilterSettings, sandbox: SandboxSettings
) -> Graded:
    """Verifies each attempt as the only one of its record."""
    asked = [attempts_at(as_executed(record), record.attempts) for record in planted]
    marked = drive(asked, partial(mark, form=FormOf(form_checks(filter))), sandbox=sandbox)
    return Graded(planted, [judge_agreement(one, ONE_ATTEMPT).kept for one in marked])


def bench(settings: BenchRewardSettings) -> None:
    """Grades completions with and without a sandbox, the planted ones beside Verify's verdicts."""
    seeds = shipped_seeds()
    seeds = seeds[:: -(-len(seeds) // settings.seeds)]
    records = {
        "planted": planted_attempts(seeds, settings.sandbox),
        "algebra": square_roots(settings.algebra),
    }
    sets = {
        name: judged_alone(planted, settings.filter, settings.sandbox)
        for name, planted in records.items()
    }
    console = plain()
    rows = []
    for (name, graded), sandbox in product(sets.items(), MODES):
        completions, columns = graded.completions, graded.columns
        judge_reasoning.cache_clear()
        rewards([], completions[:1], sandbox=sandbox, **columns)  # starts the sandbox
        before, start = undecided(), time.perf_counter()
        earned = rewards([], completions, sandbox=sandbox, **columns)
        seconds = time.perf_counter() - start
        pairs = list(zip(earned, graded.by_verify, strict=True))
        row = {
            "set": name,
            "sandbox": sandbox,
            "rows_per_second": round(len(earned) / seconds),
            "accepted": round(sum(earned)),
            "undecided": undecided() - before,
            "only_by_reward": sum(reward > verify for reward, verify in pairs),
            "only_by_verify": sum(reward < verify for reward, verify in pairs),
        }
        rows.append(row)
        console.print(
            f"{name}, sandbox={sandbox}: {row['rows_per_second']:,} rows/s, {len(earned):,} rows; "
            f"accepted {row['accepted']:,}, undecided {row['undecided']:,}; accepted by the reward "
            f"and not by Verify {row['only_by_reward']:,}, the other way {row['only_by_verify']:,}"
        )
    print(json.dumps({"bench": "reward", "rows": rows}))
