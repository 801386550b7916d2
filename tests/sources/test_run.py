"""Accepted rows of a run are seeds again, so many of each structure of program."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.programs_for_tests import FILTER, SANDBOX, execution
from tests.sources.reading import read, source_of
from transforms.engine.accounting import Verdict
from transforms.engine.blocks import pack
from transforms.engine.errors import SourceError
from transforms.engine.ids import canonical_json
from transforms.engine.losers import over_limit
from transforms.engine.plain import as_plain
from transforms.engine.records import Attempt, Attempts, Example, Seed, Variant, grow
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.recipes.caco.verify import example
from transforms.sources import ReadSeeds, check_source
from transforms.sources.rows import Row, SeedReason
from transforms.sources.run import RunSource, ranked, rows_in, seed_of
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.unify import ValidateSeeds

CODE = """input = {{"people": {people}, "price": 7}}

def solution(people, price):
    # what all tickets cost
    total = people * price
    # and one for the guide
    total = total + price
    return {returned}

output = solution(**input)
"""


def row(
    people: int, returned: str = "total", output: Any = None, told: str | None = None
) -> Example:
    """An accepted row about tickets for so many people."""
    output = 7 * (people + 1) if output is None else output
    ran = execution(CODE.format(people=people, returned=returned), json.dumps(output))
    told = told or f"All tickets and the guide's cost this much. The answer is {output}."
    attempts = (Attempt(told, "stop", answer="1", agrees=True),)
    problem = f"What do tickets for {people} people cost, told as {returned}?"
    return example(grow(Attempts, ran, instruction=problem, attempts=attempts), "caco", "run")


ROWS = [
    *(row(people) for people in range(10, 18)),
    row(3, "str(total)", "28"),
    row(3, "[total, 1.5]", [28, 1.5]),
    row(3, "total / 4", 7.0),
    row(3, "total == 28", True),
]
PEOPLE = [row(people) for people in (1, 20, 300, 5, 77)]


def write_run(folder: Path, rows: list[Example] = ROWS, status: str = "complete") -> str:
    """Writes two shards of accepted rows and a manifest, as a run does."""
    run = RunFolder(str(folder))
    for shard in (0, 1):
        path = run.path("data", f"train-0000{shard}-of-00002.parquet")
        write_table(path, rows[shard::2], Example, "zstd")
    run.write_manifest({"status": status})
    return str(folder)


def test_rows_become_seeds_and_those_over_the_limit_of_their_structure_are_rejected(
    tmp_path: Path,
) -> None:
    path = write_run(tmp_path / "run")
    seen = read(tmp_path, 2, type="run", path=path, max_per_fingerprint=3)
    assert seen.reasons == {"fingerprint_full": 5}
    kept = [example for example in ROWS if "told as total?" in example.instruction]
    kept = sorted(kept, key=lambda example: (len(example.code), example.id))[:3]
    asked = {seed["problem"] for seed in seen.seeds if "told as total?" in seed["problem"]}
    assert asked == {example.instruction for example in kept}
    assert len(seen.seeds) == 7


def test_rows_with_other_numbers_are_seeds_with_the_answers_that_they_state(tmp_path: Path) -> None:
    seed = Seed.make(problem="What is 1 + 1?", answer="2.00", code=CODE, source="s", license="MIT")
    variant = grow(Variant, seed, output="2.0", input="{}", seed_ids=("parent",))
    path = tmp_path / "run" / "data" / "train-00000-of-00001.parquet"
    write_table(str(path), [variant], Variant, "zstd")
    RunFolder(str(tmp_path / "run")).write_manifest({"status": "complete"})
    source = source_of(type="run", path=str(tmp_path / "run"))
    check_source(source)
    [again] = [seed_of(source, each) for each in rows_in(str(path))]
    assert isinstance(again, Seed)
    assert (again.problem, again.answer, again.code) == (seed.problem, "2.00", CODE)


def test_rows_of_a_run_with_unanswered_records_are_seeds(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", status="incomplete")
    check_source(source_of(type="run", path=path))


def test_seeds_of_a_run_are_verified_as_all_seeds_are(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [*ROWS, row(4, output=36)])
    source = source_of(type="run", path=path, max_per_fingerprint=99)
    short = FILTER.model_copy(update={"min_code_lines": 5})
    with TestPipeline(**on_workers(2)) as pipeline:
        seeds = pipeline | "Read" >> ReadSeeds(source=source, sandbox=SANDBOX)
        outcome = seeds.kept | ValidateSeeds(sandbox=SANDBOX, filter=short)
        answers = outcome.kept | "Answer" >> beam.Map(lambda seed: seed.answer)
        reasons = outcome.rejected | "Reason" >> beam.Map(lambda reject: reject.reason)
        expected = [str(7 * (people + 1)) for people in range(10, 18)]
        expected += ["28", "[28, 1.5]", "7.0", "true"]
        assert_that(answers, equal_to(expected), label="kept")
        assert_that(reasons, equal_to(["answer_mismatch"]), label="rejected")


def test_a_seed_says_which_row_of_which_run_it_was(tmp_path: Path) -> None:
    one = replace(ROWS[0], license="", source="model")
    path = write_run(tmp_path / "run", [one])
    [seed] = read(tmp_path, type="run", path=path, license="MIT").seeds
    assert json.loads(seed["metadata"]) == {"row": one.id, "run_id": "run"}
    assert (seed["source"], seed["license"], seed["solution"]) == ("model", "MIT", one.solution)


def test_a_program_that_solved_the_problem_is_no_solution_in_language(tmp_path: Path) -> None:
    one = row(6, told=CODE.format(people=6, returned="total"))
    [seed] = read(tmp_path, type="run", path=write_run(tmp_path / "run", [one])).seeds
    assert seed["solution"] is None


@given(st.permutations(PEOPLE), st.integers(1, 6))
def test_which_rows_of_a_structure_stay_does_not_depend_on_their_order(
    rows: list[Example], limit: int
) -> None:
    source = RunSource(type="run", path="-", max_per_fingerprint=limit)
    raw = [Row.make("test", canonical_json(as_plain(row)), "here") for row in rows]
    group = [pack([("", one.order, one.id)]) for each in raw for one in ranked(source, each)]
    over = {row_id for row_id, _ in over_limit(group, limit, Sameness.FINGERPRINT_FULL)}
    seeds = [seed_of(source, each) for each in raw if each.id not in over]
    kept = {seed.problem for seed in seeds if isinstance(seed, Seed)}
    first = sorted(PEOPLE, key=lambda row: (len(row.code), row.id))[:limit]
    assert kept == {row.instruction for row in first}


def test_a_row_whose_program_does_not_parse_is_left_to_the_verification(tmp_path: Path) -> None:
    broken = [replace(one, id=f"b{n}", code="input = {") for n, one in enumerate(PEOPLE)]
    path = write_run(tmp_path / "run", broken)
    assert len(read(tmp_path, type="run", path=path).seeds) == len(broken)


def test_a_row_without_an_answer_is_rejected_for_it() -> None:
    source = RunSource(type="run", path="-")
    raw = Row.make("test", canonical_json({**as_plain(PEOPLE[0]), "answer": ""}), "here")
    verdict = seed_of(source, raw)
    assert isinstance(verdict, Verdict) and verdict.reason is SeedReason.MISSING_FIELD


def test_a_folder_that_is_no_finished_run_is_one_line_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no manifest.json: name the output_dir"):
        check_source(source_of(type="run", path=str(tmp_path)))
    path = write_run(tmp_path, status="budget")
    with pytest.raises(SourceError, match=r"not finished \(status: budget\)"):
        check_source(source_of(type="run", path=path))


def test_runs_are_mixed_with_other_sources(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", PEOPLE[:2])
    two = write_run(tmp_path / "two", PEOPLE[1:])
    sources = {name: {"type": "run", "path": path} for name, path in (("a", one), ("b", two))}
    seen = read(tmp_path, type="mix", sources=sources)
    assert len(seen.seeds) == len(PEOPLE) and seen.reasons == {"duplicate_id": 1}
