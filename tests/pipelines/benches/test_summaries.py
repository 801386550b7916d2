"""Arms are compared on the programs that all have, and no row of one differs unnoticed."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.benches.summaries import BenchSummariesSettings, bench, fidelity, figures, read_arm
from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.programs_for_tests import SANDBOX
from tests.recipes.playing import player
from tests.settings_for_tests import composed
from transforms.engine.errors import RunFolderError
from transforms.engine.paths import DATA

CODES = [f"n_items = {n}\n# the items of {n} boxes in all\noutput = n_items * 2" for n in range(6)]


def run(folder: Path, accepted: dict[int, float], lost: int = 0, words: str = "Boxes hold") -> str:
    """A run of six programs, of which some have an accepted row with an agreement."""
    for part in ("stages/04-execute", "data", "rejects"):
        (folder / part).mkdir(parents=True)
    pl.DataFrame({"code": CODES}).write_parquet(folder / "stages/04-execute/part.parquet")
    rows = [
        {"id": str(n), "code": CODES[n], "agreement": agreement,
         "instruction": f"{words} {n} items each. How many are there in two of them?"}
        for n, agreement in accepted.items()
    ]  # fmt: skip
    schema = {"id": pl.String, "code": pl.String, "agreement": pl.Float64, "instruction": pl.String}
    pl.DataFrame(rows, schema).write_parquet(folder / "data/part.parquet")
    reasons = {"reason": ["given_lost"] * lost}
    pl.DataFrame(reasons, {"reason": pl.String}).write_parquet(folder / "rejects/05.parquet")
    tokens = {"tokens": {"generated": 100, "recorded": 20}}
    (folder / "manifest.json").write_text(json.dumps(tokens))
    return str(folder)


def test_discordant_programs_are_counted_and_nothing_else_differs(tmp_path: Path) -> None:
    direct = read_arm([run(tmp_path / "direct", {0: 1, 1: 1, 2: 1})])
    short = read_arm([run(tmp_path / "short", {0: 1, 3: 1}, lost=2)])
    found = figures(short, direct, direct.programs)
    assert (found.gained, found.missed, found.given_lost) == (1, 2, 2)
    assert set(short.accepted) ^ set(direct.accepted) == {CODES[n] for n in (1, 2, 3)}
    assert (found.accepted, found.p, found.tokens) == (2 / 6, 1.0, 60.0)


def test_of_several_runs_the_best_agreement_counts_and_all_tokens(tmp_path: Path) -> None:
    runs = [run(tmp_path / name, {0: share}, words=name) for name, share in (("a", 0.5), ("b", 1))]
    arm = read_arm(runs)
    assert arm.accepted[CODES[0]]["instruction"].startswith("b ") and arm.tokens == 240


def test_names_of_the_program_and_its_comments_are_leakage(tmp_path: Path) -> None:
    direct = read_arm([run(tmp_path / "direct", {0: 1})])
    told = "Let n_items be the items of"
    leaky = read_arm([run(tmp_path / "leaky", {0: 1}, words=f"{told} 0 boxes in all, and")])
    clean, found = (figures(arm, direct, direct.programs) for arm in (direct, leaky))
    assert (clean.leaks, found.leaks) == (0, 1) and clean.shared == 0 < found.shared


SPLIT = """input = {"emails": 160, "percent_spam": 30, "days": 5}

def solution(emails, percent_spam, days):
    # in another way
    return (100 - percent_spam) * emails // 100 * days

output = solution(**input)"""
NAMED = SPLIT.replace("emails", "mails").replace("days", "nights")
DEAF = NAMED.replace("* nights", "* 5")
OTHER = NAMED.replace("160", "80 * 2")


@pytest.mark.parametrize(
    ("written", "share"), [([NAMED], 1.0), ([NAMED, DEAF], 0.5), ([OTHER], None), ([], None)]
)
def test_fidelity_is_the_share_of_written_programs_that_are_right_on_other_values(
    tmp_path: Path, written: list[str], share: float | None
) -> None:
    folder = Path(run(tmp_path / "direct", {0: 1}))
    row = pl.read_parquet(folder / "data/part.parquet").with_columns(code=pl.lit(SPLIT))
    row.write_parquet(folder / "data/part.parquet")
    attempts = [{"text": each, "kind": "code", "agrees": True} for each in written]
    attempts += [{"text": DEAF, "kind": kind, "agrees": None} for kind in ("code", "cot")]
    (folder / "stages/06-solve").mkdir()
    solved = pl.DataFrame(
        {"code": [SPLIT], "instruction": row["instruction"], "attempts": [attempts]}
    )
    solved.write_parquet(folder / "stages/06-solve/part.parquet")
    arm = read_arm([str(folder)])
    assert player()(fidelity(arm, [SPLIT])) == share


def test_the_last_line_is_json_and_a_folder_without_a_run_is_named(
    tmp_path: Path, capsys: Any
) -> None:
    arms = {name: [run(tmp_path / name, {0: 1})] for name in ("direct", "short")}
    bench(BenchSummariesSettings(arms=arms, sandbox=SANDBOX))
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["programs"], last["union"], last["short"]["gained"]) == (6, 1, 0)
    with pytest.raises(RunFolderError, match="has no finished run"):
        read_arm([str(tmp_path / "none")])


SHIPPED = [
    json.loads(line) for line in (DATA / "seeds" / "rates.jsonl").read_text().splitlines()[:8]
]


def scripted(body: dict[str, Any]) -> dict[str, Any]:
    """Writes shipped programs, their problems and solutions. Every second program's summary lacks
    its numbers; of two programs for a problem one gives its answer whatever the input."""
    text = body["messages"][-1]["content"]
    if "Write one new program" in text:
        number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
        return {"content": f"```python\n{SHIPPED[number % 8]['code']}\n```"}
    parts = ((each, each[what].strip()) for each in SHIPPED for what in ("code", "problem"))
    last = {text.rfind(part): each for each, part in parts}
    shown = last[max(last)]
    code = shown["code"].strip()
    if "Summarise" in text and SHIPPED.index(shown) % 2:
        return {"content": re.sub(r"[0-9]+", "some", shown["problem"])}
    if "Reason step by step" in text:
        return {"content": shown["solution"]}
    if "Write the program for this last problem" in text:
        head, _, _ = code.rpartition("    return ")
        deaf = f"{head}    return {shown['answer']}\n\noutput = solution(**input)"
        return {"content": f"```python\n{deaf if body['seed'] % 2 else code}\n```"}
    return {"content": shown["problem"]}


def test_arms_that_were_run_differ_where_a_summary_lost_a_given(tmp_path: Path) -> None:
    folders = []
    with chat_server(scripted) as (url, _):
        for form in ("none", "short"):
            folders.append(str(tmp_path / form))
            settings = composed(
                "recipe=caco", "backend=openai", f"backend.base_url={url}", "backend.model=m",
                "backend.api=chat", "source=shipped", f"source.path={DATA}/seeds/algebra.jsonl",
                f"recipe.stages.reverse.summary={form}", "verify.mode=both", "sandbox.slots=1",
                "sampling.num_programs=24", "sampling.solve.samples=2",
                "sampling.solve_code.samples=2", "filter.min_code_lines=4",
                f"ledger.dir={tmp_path}/ledger", f"output_dir={folders[-1]}",
            )  # fmt: skip
            synthesize(settings, Console(file=io.StringIO()))
    direct, short = (read_arm([folder]) for folder in folders)
    missed = {code.strip() for code in set(direct.accepted) - set(short.accepted)}
    assert direct.programs == short.programs
    assert missed and missed <= {each["code"].strip() for each in SHIPPED[1::2]}
    found = figures(short, direct, direct.programs)
    assert found.gained == 0 and found.given_lost >= found.missed == len(missed)
    for arm in (direct, short):
        rows = arm.accepted.values()
        same = [text.strip() == row["code"].strip() for row in rows for text in row["written"]]
        assert player()(fidelity(arm, arm.programs)) == sum(same) / len(same) > 0
