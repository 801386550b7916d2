"""`cotmill bench filters`: the real stages on records with known faults, and how they did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam.pvalue import PCollection
from pydantic import Field

from pipelines.benches.planted.cases import Case, answered, make_cases
from pipelines.benches.planted.faults import (
    RIGHT,
    Planted,
    plant,
    plant_everyday,
    plant_executed,
    plant_worded,
)
from pipelines.benches.planted.sets import (
    LabelledGroup,
    LabelledSet,
    contaminated_set,
    executed,
    instruction_set,
    is_benchmark_item,
    program,
    program_set,
    trivial_set,
)
from pipelines.benches.planted.wordings import worded_cases
from transforms.engine.accounting import Reject
from transforms.engine.ids import content_id
from transforms.engine.outcomes import Outcome
from transforms.engine.records import Attempt, Attempts, Execution, Problem, Program, Seed, grow
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.settings import Group
from transforms.engine.tables import WriteRecords
from transforms.models.driver import Drive
from transforms.programs.checks import FilterSettings, FormOf, form_checks
from transforms.recipes.caco.answerability import FilterInstructions
from transforms.recipes.caco.mark import mark
from transforms.recipes.caco.verify import Verify, VerifySettings
from transforms.sandbox.sandbox import Sandbox
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.jsonl import JsonlSource
from transforms.stages.diversity.decontaminate import Decontaminate
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.programs import DeduplicatePrograms
from transforms.stages.diversity.settings import DecontaminateSettings, DedupSettings
from transforms.stages.filtering import CapTrivial, FilterForm, FilterMeaning, RunPrograms


class BenchFiltersSettings(Group):
    """Everything `cotmill bench filters` can be told."""

    redraws: int = Field(ge=0, description="more cases of each seed, with other numbers")
    codeio: int = Field(ge=0, description="CodeI/O programs whose outputs are answers as well")
    show: int = Field(ge=0, description="misjudged records to print, at most")
    sandbox: SandboxSettings
    filter: FilterSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings


@dataclass(frozen=True)
class Fate:
    """What became of a planted record: rejected, by which stage and why."""

    id: str
    stage: str
    reason: str
    detail: str


def fate(reject: Reject) -> Fate:
    """Rejects carry the planted record's id as their seed: stages give records ids of their own."""
    return Fate(reject.seed_ids[0], reject.stage, reject.reason, reject.detail)


def as_program(code: str) -> Program:
    return program(content_id("planted program", code), code)


def attempts_at(problem: Problem, attempts: Iterable[str]) -> Attempts:
    """The problem with its planted attempts, as yet unmarked."""
    made = tuple(Attempt(text, "stop") for text in attempts)
    return grow(Attempts, problem, attempts=made)


def as_executed(planted: Planted) -> Problem:
    return as_problem(planted, executed(as_program(planted.code), planted.input, planted.output))


def as_problem(planted: Planted, execution: Execution) -> Problem:
    """The planted instruction with its program's run; it is its own seed."""
    own = replace(execution, id=planted.id, seed_ids=(planted.id,))
    return grow(Problem, own, instruction=planted.instruction)


def judge_records(
    planted: Sequence[Planted], settings: BenchFiltersSettings, folder: Path
) -> dict[str, Fate]:
    """Runs planted records through form, execution, meaning, answerability and verification.

    Each program is run once, whatever records have it.

    Returns {planted id: its fate} of those that were rejected.
    """
    known = {record.id: record for record in planted}
    programs: dict[str, list[str]] = {}
    for record in planted:
        if record.output is None:
            programs.setdefault(as_program(record.code).id, []).append(record.id)
    codes = {known[ids[0]].code for ids in programs.values()}
    judged = [record for record in planted if record.judged]
    ran_already = [r for r in planted if r.output is not None and not r.judged]
    with open_pipeline(DirectSettings()) as pipeline:
        form = (
            pipeline
            | "Programs" >> beam.Create(list(map(as_program, sorted(codes))))
            | FilterForm(filter=settings.filter)
        )
        ran = form.kept | RunPrograms(sandbox=settings.sandbox, filter=settings.filter)
        meaning = ran.kept | FilterMeaning(sandbox=settings.sandbox, filter=settings.filter)
        instructed = meaning.kept | "Instructions" >> beam.FlatMap(
            lambda e: [as_problem(known[record], e) for record in programs[e.id]]
        )
        answerable = (
            (instructed, pipeline | "Ran" >> beam.Create(list(map(as_executed, ran_already))))
            | "Instructed" >> beam.Flatten()
            | FilterInstructions()
        )
        problems = (
            answerable.kept,
            pipeline | "Judged" >> beam.Create(list(map(as_executed, judged))),
        ) | "Problems" >> beam.Flatten()
        form_of = FormOf(form_checks(settings.filter))
        attempted = problems | "Attempts" >> beam.Map(
            lambda p: attempts_at(p, known[p.id].attempts)
        )
        marked = attempted | Drive("mark", partial(mark, form=form_of), sandbox=settings.sandbox)
        verified = marked.results | Verify(
            verify=settings.verify, recipe="planted", run_id="planted"
        )
        _write([form, ran, meaning, answerable, verified], folder)
    fates = _read(folder)
    members = ((ids, fates.pop(code)) for code, ids in programs.items() if code in fates)
    return fates | {record: replace(fate, id=record) for ids, fate in members for record in ids}


def judge_sets(
    programs: LabelledSet,
    trivial: LabelledSet,
    instructions: LabelledSet,
    contaminated: LabelledSet,
    settings: BenchFiltersSettings,
    folder: Path,
) -> dict[str, Fate]:
    """Runs labelled sets through the stages that compare records with others."""
    with open_pipeline(DirectSettings()) as pipeline:
        outcomes = [
            pipeline
            | "Program set" >> beam.Create(programs.records)
            | DeduplicatePrograms(dedup=settings.dedup),
            pipeline
            | "Trivial set" >> beam.Create(trivial.records)
            | CapTrivial(filter=settings.filter),
            pipeline
            | "Instruction set" >> beam.Create(instructions.records)
            | Deduplicate(dedup=settings.dedup),
            pipeline
            | "Contaminated set" >> beam.Create(contaminated.records)
            | Decontaminate(decontaminate=settings.decontaminate, sandbox=settings.sandbox),
        ]
        _write(outcomes, folder)
    return _read(folder)


def _write(outcomes: Sequence[Outcome], folder: Path) -> PCollection:
    return (
        [outcome.rejected for outcome in outcomes]
        | "Rejects" >> beam.Flatten()
        | "Fates" >> beam.Map(fate)
        | "Write" >> WriteRecords(Fate, str(folder), "fates", 1)
    )


def _read(folder: Path) -> dict[str, Fate]:
    rows = pl.read_parquet(folder / "fates-*.parquet").to_dicts()
    return {row["id"]: Fate(**row) for row in rows}


def score_records(
    planted: Sequence[Planted], fates: dict[str, Fate]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Returns a row for each fault, and the figures of the whole.

    Of a fault: `recall`, the share of its records that were rejected; `as_expected`, the share
    rejected for a reason of that fault; `precision`, of all the records rejected for such a
    reason, those that have a fault at all. Of what is right: `kept`.
    """
    by_reason = Counter(f.reason for f in fates.values())
    right_by_reason = Counter(
        fates[p.id].reason for p in planted if not p.reasons and p.id in fates
    )
    rows = []
    for (family, fault), records in _by_fault(planted).items():
        refused = [fates[record.id] for record in records if record.id in fates]
        reasons = records[0].reasons
        said = sum(by_reason[reason] for reason in reasons)
        wrongly = sum(right_by_reason[reason] for reason in reasons)
        rows.append(
            {
                "family": family,
                "fault": fault,
                "planted": len(records),
                "rejected": len(refused),
                "as_expected": sum(found.reason in reasons for found in refused),
                "recall": round(len(refused) / len(records), 4) if reasons else None,
                "precision": round(1 - wrongly / said, 4) if said else None,
                "kept": None if reasons else round(1 - len(refused) / len(records), 4),
            }
        )
    wrong = [row for row in rows if row["family"] == "answer"]
    right = [row for row in rows if row["family"] == "right"]
    return rows, {
        "records": len(planted),
        "wrong_accepted_rate": _rate(wrong, lambda row: row["planted"] - row["rejected"]),
        "right_kept_rate": _rate(right, lambda row: row["planted"] - row["rejected"]),
    }


def _rate(rows: Sequence[dict[str, Any]], count: Any) -> float | None:
    planted = sum(row["planted"] for row in rows)
    return round(sum(map(count, rows)) / planted, 6) if planted else None


def _by_fault(planted: Sequence[Planted]) -> dict[tuple[str, str], list[Planted]]:
    found: dict[tuple[str, str], list[Planted]] = {}
    for record in planted:
        found.setdefault((record.family, record.fault), []).append(record)
    return found


def score_groups(groups: Sequence[LabelledGroup], fates: dict[str, Fate]) -> list[dict[str, Any]]:
    """Returns a row for each fault of the labelled sets.

    `planted` is how many records should go; `recall` the share of them that went, `kept` the
    share of those that should stay and did.
    """
    by_fault: dict[str, list[LabelledGroup]] = {}
    for group in groups:
        by_fault.setdefault(group.fault, []).append(group)
    rows = []
    for fault, found in sorted(by_fault.items()):
        surplus = sum(len(group.ids) - group.survivors for group in found)
        due = sum(group.survivors for group in found)
        gone = went_wrongly = as_expected = 0
        for group in found:
            refused = [fates[key] for key in group.ids if key in fates]
            limit = len(group.ids) - group.survivors
            gone += min(len(refused), limit)
            went_wrongly += max(0, len(refused) - limit)
            as_expected += sum(item.reason in group.reasons for item in refused)
        rows.append(
            {
                "family": "set",
                "fault": fault,
                "planted": surplus,
                "rejected": gone + went_wrongly,
                "as_expected": as_expected,
                "recall": round(gone / surplus, 4) if surplus else None,
                "precision": round(gone / (gone + went_wrongly), 4) if surplus and gone else None,
                "kept": round(1 - went_wrongly / due, 4) if due else None,
            }
        )
    return rows


@dataclass(frozen=True)
class Scores:
    """What `bench_filters` found."""

    rows: list[dict[str, Any]]
    """One for each fault (see `score_records` and `score_groups`)."""
    figures: dict[str, Any]
    """`records`, `wrong_accepted_rate`, `right_kept_rate`."""
    misjudged: list[tuple[Planted, Fate | None]]
    """Records with a fault that were accepted, those of wrong answers first, and right ones that
    were not."""


def bench_filters(
    seeds: Sequence[Seed], bare_seeds: Sequence[Seed], settings: BenchFiltersSettings, folder: Path
) -> Scores:
    """Plants, judges and scores.

    Args:
        seeds: verified seeds with problem, code and solution.
        bare_seeds: verified seeds whose code alone is used (CodeI/O).
        folder: an empty folder for what the pipelines write.
    """
    with Sandbox(settings.sandbox) as box:
        cases = make_cases(seeds, settings.redraws, box)
        worded = answered(list(worded_cases()), box)
        bare = [case for case in make_cases(bare_seeds, 0, box) if _is_plain(case)]
    originals = [case for case in cases if "/" not in case.id]
    planted = [*plant(cases), *plant_worded(worded, originals), *plant_everyday()]
    planted += plant_executed(bare)
    fates = judge_records(planted, settings, folder / "records")
    rows, figures = score_records(planted, fates)
    redrawn = {case.id.partition("/")[0]: case.problem for case in cases if "/" in case.id}
    sets = (
        program_set(originals, settings.dedup.max_per_fingerprint),
        trivial_set(originals, settings.filter.max_trivial_share),
        instruction_set(originals, settings.dedup.ngram, settings.dedup.threshold),
        contaminated_set(originals, redrawn),
    )
    groups = [group for labelled in sets for group in labelled.groups]
    settings = with_benchmark(settings, originals, folder / "benchmark.jsonl")
    set_fates = judge_sets(*sets, settings, folder / "sets")
    figures["records"] += sum(len(group.ids) for group in groups)
    misjudged = [(p, fates.get(p.id)) for p in planted if (p.id in fates) != bool(p.reasons)]
    misjudged.sort(key=lambda pair: (pair[0].family != "answer", pair[0].family != RIGHT))
    return Scores([*rows, *score_groups(groups, set_fates)], figures, misjudged)


def with_benchmark(
    settings: BenchFiltersSettings, cases: Sequence[Case], path: Path
) -> BenchFiltersSettings:
    """Writes the planted benchmark's items to `path` and names it in the settings."""
    items = [case for index, case in enumerate(cases) if is_benchmark_item(index)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"problem": case.problem}) + "\n" for case in items))
    benchmarks = {"planted": JsonlSource(type="jsonl", path=str(path))}
    decontaminate = settings.decontaminate.model_copy(update={"benchmarks": benchmarks})
    return settings.model_copy(update={"decontaminate": decontaminate})


def _is_plain(case: Case) -> bool:
    """Whether a person would write the answer down: not a table, not hundreds of characters."""
    return len(str(case.answer)) <= 200
