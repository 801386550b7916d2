"""A stage over any Parquet: rows keep their own columns, rejects say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest

from pipelines.decontaminate import DecontaminateCommandSettings, decontaminate
from pipelines.dedup import DedupCommandSettings, dedup
from pipelines.execute import ExecuteSettings, execute
from pipelines.report import write_report
from pipelines.verify import VerifyCommandSettings, verify
from tests.pipelines import commands
from transforms.engine.errors import CotmillError
from transforms.engine.settings import Group
from transforms.publish.catalog import Catalog, Query

S = TypeVar("S", bound=Group)

LONG = "A train leaves the station at noon and drives 60 miles an hour for three hours. How far?"


def settings_of(command: str, root: type[S], folder: Path, *overrides: str) -> S:
    given = [f"input={folder}/*.parquet", f"output_dir={folder}/out", *overrides]
    return commands.settings_of(command, root, *given)


def table(folder: Path, name: str, **columns: list[Any]) -> None:
    pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet", row_group_size=2)


def rows(folder: Path, end: str = "data") -> list[dict[str, Any]]:
    paths = sorted((folder / "out" / end).glob("*.parquet"))
    return [row for path in paths for row in pl.read_parquet(path).to_dicts()]


@pytest.mark.parametrize("workers", [1, 2])
def test_dedup_keeps_the_first_of_those_alike_with_all_of_its_columns(
    tmp_path: Path, workers: int
) -> None:
    table(tmp_path, "a", question=[LONG, "Something else?", None], mark=[[1], [2], [3]])
    table(tmp_path, "b", question=[LONG.upper(), LONG.replace("noon", "one")], mark=[[4], [5]])
    chosen = ["columns.text=question", "dedup.threshold=0.5", "dedup.bands=64"]
    chosen += [f"runner.workers={workers}"]
    dedup(settings_of("dedup", DedupCommandSettings, tmp_path, *chosen))
    assert rows(tmp_path) == [
        {"question": LONG, "mark": [1]},
        {"question": "Something else?", "mark": [2]},
    ]
    lost = [(row["mark"], row["rejected_by"], row["reason"]) for row in rows(tmp_path, "rejects")]
    assert lost == [
        ([3], "read", "missing_field"),
        ([4], "texts", "duplicate_instruction"),
        ([5], "texts", "near_duplicate"),
    ]


def test_dedup_by_programs_ignores_their_layout_and_rejects_what_does_not_parse(
    tmp_path: Path,
) -> None:
    table(tmp_path, "a", code=["x = 1 + 2", "x = (", "x=1+2  # three"], mark=[1, 2, 3])
    dedup(settings_of("dedup", DedupCommandSettings, tmp_path, "columns.code=code"))
    assert [row["mark"] for row in rows(tmp_path)] == [1]
    reasons = {row["reason"] for row in rows(tmp_path, "rejects")}
    assert reasons == {"does_not_parse", "duplicate_program"}


def test_execute_adds_what_programs_give(tmp_path: Path) -> None:
    good = 'input = {"a": 2}\noutput = input["a"] * 21'
    table(tmp_path, "a", program=["output = 1 // 0", good], mark=["bad", "good"])
    execute(settings_of("execute", ExecuteSettings, tmp_path, "columns.code=program"))
    [row] = rows(tmp_path)
    assert (row["mark"], row["program_output"], row["program_input"]) == ("good", "42", '{"a": 2}')
    [lost] = rows(tmp_path, "rejects")
    assert (lost["mark"], lost["reason"]) == ("bad", "runtime_error")


def test_verify_keeps_solutions_that_come_to_the_reference(tmp_path: Path) -> None:
    table(
        tmp_path, "a",
        answer=[1.5, 7.0, 3.0],
        text=["So it is \\boxed{3/2}.", "The answer is 8.", "No number at all"],
    )  # fmt: skip
    mapped = ["columns.answer=answer", "columns.solution=text"]
    verify(settings_of("verify", VerifyCommandSettings, tmp_path, *mapped))
    assert [row["answer"] for row in rows(tmp_path)] == [1.5]
    assert [row["reason"] for row in rows(tmp_path, "rejects")] == [
        "answer_mismatch",
        "no_answer_found",
    ]


def test_decontaminate_names_the_item_that_a_row_repeats(tmp_path: Path) -> None:
    exam = tmp_path / "exam.jsonl"
    exam.write_text(f'{{"problem": "{LONG}"}}\n')
    table(tmp_path, "a", question=[LONG.upper(), "Something else?"])
    against = [
        "columns.text=question", "decontaminate=default",
        f"decontaminate.benchmarks={{exam: {{type: jsonl, path: {exam}}}}}",
    ]  # fmt: skip
    given = settings_of("decontaminate", DecontaminateCommandSettings, tmp_path, *against)
    decontaminate(given)
    assert [row["question"] for row in rows(tmp_path)] == ["Something else?"]
    [lost] = rows(tmp_path, "rejects")
    assert lost["reason"] == "contaminated" and "exam" in lost["detail"]


def test_the_result_of_a_command_can_be_reported_and_inspected(tmp_path: Path) -> None:
    odd = {"id": [7, None, 9], "record": [{"a": 1}] * 3, "stage": ["x"] * 3, "kind": [["k"]] * 3}
    table(tmp_path, "a", q=[LONG, LONG, "Another?"], **odd)
    dedup(settings_of("dedup", DedupCommandSettings, tmp_path, "columns.text=q"))
    catalog = Catalog.open(f"{tmp_path}/out")
    ended = [(state.id, state.reason, state.record["q"]) for state in catalog.find(Query()).states]
    assert ended == [
        ("train-00000-of-00001:0", "", LONG),
        ("train-00000-of-00001:1", "", "Another?"),
        ("part-00000-of-00001:0", "duplicate_instruction", LONG),
    ]
    write_report(catalog.run, catalog.manifest)
    page = (tmp_path / "out/report.html").read_text()
    assert "2 rows, cotmill dedup" in page and "duplicate_instruction" in page


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["columns.text=problem"], "columns.text=problem: .*a.parquet has no such column, but q"),
        ([], "no column is named: set columns.text, columns.code, or some"),
        (["columns.text=q", "input=nowhere/*.parquet"], "input=nowhere/.*parquet matches no file"),
        (["columns.text=detail"], "input has a column detail already: rename it"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    table(tmp_path, "a", **{"detail" if "columns.text=detail" in overrides else "q": ["x"]})
    with pytest.raises(CotmillError, match=message) as error:
        dedup(settings_of("dedup", DedupCommandSettings, tmp_path, *overrides))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_a_result_is_overwritten_only_where_that_is_asked(
    tmp_path: Path,
) -> None:
    table(tmp_path, "a", q=["x"])
    again = settings_of("dedup", DedupCommandSettings, tmp_path, "columns.text=q")
    dedup(again)
    with pytest.raises(CotmillError, match="not empty: add overwrite=true to start it anew"):
        dedup(again)
    dedup(again.model_copy(update={"overwrite": True}))
    assert rows(tmp_path) == [{"q": "x"}]
