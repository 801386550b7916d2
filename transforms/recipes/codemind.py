"""codemind: running a program in mind, writing one despite a misleading test, simplifying one.

After CodeMind (arXiv 2402.09664).
"""

import json
import re
from dataclasses import dataclass

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.obfuscation import obfuscated
from transforms.programs.perturb import perturbations
from transforms.programs.questions import Task, task_about
from transforms.stages.graders import runs_of_tests, same_output
from transforms.stages.pairs import Pair
from transforms.stages.tasks import MakeTasksOfPairs


@dataclass(kw_only=True)
class AskOfMind(MakeTasksOfPairs):
    """PCollection[Seed] (verified) -> Outcome of Task: `execute` a program; write one to a
    specification (`write`), with a test (`write_tested`) and with a wrong one (`write_misled`);
    `simplify` an obfuscated one. A written program has to give the output of each pair.
    """

    name: str = "ask"

    def make(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Task]]:
        code, (known, right) = seed.code or "", pairs[0]
        shown = {"problem": seed.problem, "known": known}
        tasks = [
            task_about(seed, "execute", code, "tolerant", [repr(json.loads(right))], shown),
            task_about(seed, "write", code, "tests", pairs, shown | {"test": None}),
            task_about(seed, "write_tested", code, "tests", pairs, shown | {"test": right}),
        ]
        if (wrong := misleading(right)) is not None:
            tasks.append(
                task_about(seed, "write_misled", code, "tests", pairs, shown | {"test": wrong})
            )
        dark = obfuscated(code)
        runs = yield from runs_of_tests(dark, pairs)
        if runs is not None and all(run.passed for run in runs):
            tasks.append(task_about(seed, "simplify", dark, "simplifies", pairs, shown))
        return tasks


def misleading(output: str) -> str | None:
    """Returns an output of the same type that is wrong, as JSON; None where there is none.

    >>> misleading("560"), misleading("null"), misleading("[2.5, 1]")
    ('561', None, '[3.4, 1]')
    """
    others = (_rounded(json.dumps(each), output) for each in perturbations(json.loads(output)))
    return next((other for other in others if not same_output(other, output)), None)


def _rounded(value: str, own: str) -> str:
    """JSON with its floats as long as those of the own one."""
    places = max(map(len, re.findall(r"\.(\d+)", own)), default=0)
    return re.sub(r"(?<!\d)\d+\.\d+", lambda number: repr(round(float(number[0]), places)), value)
