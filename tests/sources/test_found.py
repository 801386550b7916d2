"""A source is one file: its module is found by its name, and says how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from pydantic import TypeAdapter

from tests.sources.reading import SANDBOX, source_of
from transforms import sources
from transforms.sources import ReadSeeds, read

DICE = '''
from typing import Literal

import apache_beam as beam

from transforms.engine.records import Seed
from transforms.sources.base import SourceSettings
from transforms.sources.rows import Row


def seed_of(row):
    return Seed.make(problem=f"{row.raw} + 1?", source="dice", license="MIT")


class DiceSource(SourceSettings):
    """Seeds that are thrown."""

    type: Literal["dice"]

    def check(self):
        return []

    def rows(self):
        return beam.Create([Row.make("dice", str(eyes), "a throw") for eyes in (1, 2)])

    def seeds(self, sandbox, answers):
        return beam.Map(lambda row: (row, seed_of(row)))

    def content(self):
        return None
'''


def test_the_name_of_each_source_is_that_of_its_module() -> None:
    names = {each.model_fields["type"].annotation.__args__[0]: each for each in read.found()}
    assert all(each.__module__ == f"transforms.sources.{name}" for name, each in names.items())
    assert len(names) >= 7


def test_a_module_in_the_package_is_a_choice_that_is_read_and_no_other_file_is_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dice.py").write_text(DICE)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    [dice] = [each for each in read.found() if each.__name__ == "DiceSource"]
    source = TypeAdapter(dice).validate_python({"type": "dice"})
    with TestPipeline() as pipeline:
        kept = (pipeline | ReadSeeds(source=source, sandbox=SANDBOX)).kept
        assert_that(
            kept | "Problem" >> read.beam.Map(lambda seed: seed.problem),
            equal_to(["1 + 1?", "2 + 1?"]),
        )


def test_seeds_are_rejected_for_the_reasons_of_each_part_of_their_source() -> None:
    run = {"type": "run", "path": "x"}
    mix = source_of(type="mix", sources={"run": run, "own": {"type": "jsonl", "path": "x"}})
    reasons = ReadSeeds(source=mix, sandbox=SANDBOX).rejects_for()
    assert {"fingerprint_full", "missing_field", "duplicate_id"} <= set(reasons)


def test_a_changed_file_is_seen_where_a_source_names_several(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_text('{"problem": "1 + 1?"}\n')
    source = source_of(type="jsonl", path=list(map(str, paths)))
    before = source.content()
    paths[1].write_text('{"problem": "1 + 2?"}\n')
    assert before is not None and source.content() != before
