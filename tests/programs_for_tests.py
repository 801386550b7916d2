"""Small programs that tests share."""

from __future__ import annotations

from tests.sandbox.limits import SANDBOX as SANDBOX
from transforms.engine.records import Call, Execution, Program
from transforms.programs.checks import FilterSettings
from transforms.stages.diversity.settings import DedupSettings

SPAM = """input = {"emails": 160, "percent_spam": 30, "days": 5}

def solution(emails, percent_spam, days):
    # emails that need no reply each day
    spam = emails * percent_spam // 100
    # emails answered each day
    answered = emails - spam
    return answered * days

output = solution(**input)
"""

FILTER = FilterSettings(
    min_code_lines=6, max_output_chars=1000, max_trivial_share=0.5, max_perturbed_keys=3
)
DEDUP = DedupSettings(
    threshold=0.7,
    ngram=3,
    code_threshold=0.9,
    code_ngram=5,
    max_per_fingerprint=2,
    num_perm=128,
    bands=32,
)


def program(code: str, id: str = "p") -> Program:
    return Program(
        id=id,
        code=code,
        seed_ids=("s",),
        source="test",
        license="CC0-1.0",
        calls=(Call("sample", "m", 1),),
        tokens=1,
    )


def execution(code: str = SPAM, output: str | None = "560", id: str = "p", **fields) -> Execution:
    given = {
        "status": "ok",
        "input": '{"emails": 160, "percent_spam": 30, "days": 5}',
        "error": None,
        "wall_seconds": 0.1,
        "cpu_seconds": 0.1,
        "peak_mb": 20.0,
        **fields,
    }
    return Execution(**vars(program(code, id)), output=output, **given)
