"""A small run of a recipe of one's own with its ledger, written as a run writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.engine.accounting import Reject, put_off, reject, rejected
from transforms.engine.records import Message, ToolCall
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.requests import Request, Response, Sampler

HOSTILE = "<script>document.title = 'owned'</script>\x1b[2J</pre>"
"""What a model might write to whoever looks at it."""
SAMPLER = Sampler(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=100)


@dataclass(frozen=True)
class Task:
    id: str
    question: str
    source: str = "tests/tasks"
    license: str = "MIT"


@dataclass(frozen=True)
class Draft:
    id: str
    question: str
    seed_ids: tuple[str, ...]
    kind: str | None = None


@dataclass(frozen=True)
class Talk:
    id: str
    question: str
    messages: tuple[Message, ...]
    seed_ids: tuple[str, ...]
    agreement: float
    kind: str | None = None


def draft(number: int) -> Draft:
    text = f'How far does train "{number}" go\nin {number} hours?'
    return Draft(
        f"{number:032x}", text, (f"{9000 + number % 2:032x}",), "rates" if number % 2 else None
    )


def talk(number: int, text: str = "") -> Talk:
    """The row made of a draft; it has an id of its own."""
    messages = (
        Message("user", draft(number).question),
        Message(
            "assistant", "", f"I compute {number}.", (ToolCall("c", "python", f"60*{number}"),)
        ),
        Message("tool", str(60 * number), tool_call_id="c", name="python"),
        Message("assistant", f"It is {60 * number} km. {text}"),
    )
    one = draft(number)
    return Talk(
        f"{7000 + number:032x}",
        one.question,
        messages,
        one.seed_ids,
        0.5 + number % 2 / 2,
        one.kind,
    )


def write_run(root: Path, rows: int = 4, text: str = "") -> RunFolder:
    """Tasks, drafts of them, rows of those: `rows` accepted; 2 rejected at check, 1 at talk, 1 put
    off there."""
    run = RunFolder(str(root))
    tasks = [Task(f"{9000 + n:032x}", f"Write a problem about trains, number {n}.") for n in (0, 1)]
    drafts = [draft(number) for number in range(1, rows + 3)]
    wordy = [
        rejected("check", draft(n), reject("too_wordy", f"{n} words {text}")) for n in (50, 51)
    ]
    wrong = rejected("grade", talk(rows + 1, text), reject("wrong_answer", f"not {rows}"))
    away = rejected("talk", draft(rows + 2), put_off("timeout: no answer in 60 s"))
    for folder, name, records, kind in (
        ("stages/01-tasks", "part", tasks, Task),
        ("stages/02-draft", "part", drafts, Draft),
        ("data", "train", [talk(number, text) for number in range(1, rows + 1)], Talk),
        ("rejects", "02-draft", wordy, Reject),
        ("rejects", "03-talk", [wrong], Reject),
        ("unanswered", "03-talk", [away], Reject),
    ):
        path = run.path(folder, f"{name}-00000-of-00001.parquet")
        write_table(path, sorted(records, key=lambda record: record.id), kind, "zstd")
    _write_ledger(run.path("ledger"), drafts, text)
    run.write_manifest(_manifest(len(tasks), len(drafts), rows))
    return run


def _write_ledger(folder: str, drafts: Sequence[Draft], text: str) -> None:
    writer = LedgerWriter(folder, LedgerSettings(), api="chat", continue_prefix=False)
    for one in drafts[:-1]:
        for sample in (0, 1):
            request = _request("talk", one.question, sample)
            answer = f"It is {60 * int(one.id, 16)} km. {text}"
            writer.add(request, _response(request, answer, f"I compute {int(one.id, 16)}."))
        number = int(one.id, 16)
        request = _request("draft", f"Write a problem about trains, number {number % 2}.", number)
        writer.add(request, _response(request, f"Here it is:\n{one.question}", None))
    writer.flush()


def _request(stage: str, asked: str, sample: int) -> Request:
    turns = (Message("system", "Answer briefly."), Message("user", f"Question: {asked}"))
    return Request(stage, "small", turns, None, SAMPLER, 0, sample)


def _response(request: Request, text: str, reasoning: str | None) -> Response:
    return Response(
        id=request.id, stage=request.stage, model="small", engine="scripted", text=text,
        finish_reason="stop", error=None, prompt_tokens=20, generated_tokens=10, seconds=0.5,
        reasoning=reasoning,
    )  # fmt: skip


def _manifest(tasks: int, drafts: int, rows: int) -> dict[str, Any]:
    def stage(name: str, entered: int, kept: int, **others: Any) -> dict[str, Any]:
        return {"name": name, "in": entered, "kept": kept, "rejected": {}, "draws": False, **others}

    segments = [
        ("01-tasks", "stages/01-tasks", tasks, [stage("tasks", tasks, tasks, draws=True)]),
        (
            "02-draft",
            "stages/02-draft",
            drafts,
            [
                stage("draft", drafts + 2, drafts + 2, draws=True),
                stage("check", drafts + 2, drafts, rejected={"too_wordy": 2}),
            ],
        ),
        (
            "03-talk",
            "data",
            rows,
            [
                stage("talk", drafts, drafts - 1, unanswered=1),
                stage("grade", drafts - 1, rows, rejected={"wrong_answer": 1}),
            ],
        ),
    ]
    return {
        "run_id": "0" * 32,
        "recipe": "trains",
        "status": "incomplete",
        "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T10:03:00+00:00",
        "config": {"backend": {"model": "small"}, "ledger": {"dir": None}},
        "versions": {"cotmill": "0.2.0"},
        "sandbox": [],
        "segments": [
            {"name": name, "folder": folder, "rows": kept, "seconds": 1.5, "stages": stages}
            for name, folder, kept, stages in segments
        ],
        "accepted": rows,
        "unanswered": 1,
        "lineage": [],
    }
