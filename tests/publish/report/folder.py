"""Small run folders to report on, written as a run writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transforms.engine.accounting import reject, rejected
from transforms.engine.ids import content_id
from transforms.engine.paths import DATA
from transforms.engine.records import (
    Attempt,
    Attempts,
    Call,
    Example,
    Execution,
    Program,
    Seed,
    grow,
)
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.programs.checks import FormReason
from transforms.recipes.caco.verify import VerifyReason, example

HOSTILE = (
    '<script>document.title = "owned"</script><img src="http://127.0.0.1:9/x" '
    "onerror=\"document.title='owned'\"></pre></details>{{ 7 * 7 }}{% raw %}$x_1$&amp;"
)
"""What a model might write to whoever opens the page."""


def seeds(kind: str = "rates") -> list[Seed]:
    """Verified seeds from those that ship."""
    found = []
    for line in (DATA / "seeds" / f"{kind}.jsonl").read_text().splitlines():
        seed = Seed.make(**json.loads(line))
        found.append(grow(Seed, seed, output=json.dumps(seed.answer)))
    return found


def executions(count: int = 6) -> list[Execution]:
    return [
        Execution(
            id=content_id("program", seed.code),
            code=str(seed.code),
            seed_ids=(seed.id,),
            source=seed.source,
            license=seed.license,
            kind=seed.kind,
            calls=(Call("sample", "small", 100),),
            tokens=100,
            status="ok",
            input="{}",
            output=json.dumps(number),
            error=None,
            wall_seconds=0.1,
            cpu_seconds=0.1,
            peak_mb=9.0,
        )
        for number, seed in enumerate(seeds()[:count])
    ]


def examples(count: int = 6, text: str = "") -> list[Example]:
    """Accepted rows; `text` is put into whatever a model writes."""
    return [
        example(
            grow(
                Attempts,
                execution,
                code=f"{execution.code}# {text}\n",
                instruction=f"How much is that? {number} {text}",
                attempts=(
                    Attempt(f"The text gives its steps. {text}", "stop", answer="1", agrees=True),
                ),
                output=json.dumps(f"{number} {text}"),
                source=f"cotmill/seeds{text}",
                kind=f"rates{text}",
            ),
            "caco",
            "run",
        )
        for number, execution in enumerate(executions(count))
    ]


def run_folder(root: Path, accepted: int = 6, text: str = "") -> RunFolder:
    """A finished run of three segments with `accepted` rows, and rejects for two reasons."""
    run = RunFolder(str(root))
    verified, ran, rows = seeds(), executions(), examples(accepted, text)
    program = Program("p1", f"x = 1  # {text}", (), "", "", "small", 10)
    refused = [
        rejected("form", grow(Program, program, id=f"p{n}"), reject(FormReason.TOO_SHORT, text))
        for n in range(5)
    ]
    refused.append(rejected("verify", ran[0], reject(VerifyReason.LOW_AGREEMENT, f"0.25: {text}")))
    for folder, records, kind in (
        ("stages/01-seeds", verified, Seed),
        ("stages/02-execution", ran, Execution),
        ("data", rows, Example),
        ("rejects", refused, type(refused[0])),
    ):
        records = sorted(records, key=lambda record: record.id)
        write_table(run.path(folder, "part-00000-of-00001.parquet"), records, kind, "zstd")
    run.write_manifest(manifest(len(verified), len(ran), accepted, text))
    return run


def manifest(seeds: int, ran: int, accepted: int, text: str = "") -> dict[str, Any]:
    def stage(name: str, entered: int, kept: int, **others: Any) -> dict[str, Any]:
        return {"name": name, "in": entered, "kept": kept, "rejected": {}, "draws": False, **others}

    spent = {"requests": 11, "tokens.prompt": 900, "tokens.generated": 1200, "requests.saved": 3}
    stages = [
        ("01-seeds", "stages/01-seeds", seeds, [stage("seeds", seeds, seeds)]),
        (
            "02-execution",
            "stages/02-execution",
            ran,
            [
                stage("sample", 11, 11, models={f"small{text}": spent}),
                stage("form", 11, 6, rejected={"too_short": 5}),
            ],
        ),
        (
            "03-verification",
            "data",
            accepted,
            [stage("verify", ran, accepted, rejected={"low_agreement": ran - accepted})],
        ),
    ]
    return {
        "run_id": "0" * 32,
        "recipe": "caco",
        "status": "complete",
        "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T10:03:00+00:00",
        "config": {"output_dir": f"runs/first{text}", "backend": {"model": f"small{text}"}},
        "versions": {"python": "3.11", "cotmill": "0.1.0"},
        "sandbox": [{"name": "seccomp", "active": True, "why": f"allowlist{text}"}],
        "segments": [
            {"name": name, "folder": folder, "rows": rows, "seconds": 1.5, "stages": inside}
            for name, folder, rows, inside in stages
        ],
        "accepted": accepted,
        "lineage": [{"source": f"cotmill/seeds{text}", "license": "Apache-2.0", "seeds": seeds}],
    }
