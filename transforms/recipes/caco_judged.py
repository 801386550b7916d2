"""caco_judged: Caco with a model's judgement of each instruction, before it is solved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Tally, Verdict, reject
from transforms.engine.records import Problem
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.settings import SamplerSettings

UNSOUND = ("ambiguous", "contradictory", "impossible", "unit_unclear")
"""What a judge may object to; a reject's reason."""
_JUDGEMENT = re.compile(rf"judgement:\W*(sound|{'|'.join(UNSOUND)})\b", re.IGNORECASE)


@dataclass(kw_only=True)
class JudgeInstructions(ModelEpisode):
    """PCollection[Problem] -> Outcome of Problem: those that most of `sampler.samples` call sound.

    The judge sees the instruction alone, neither program nor answer. An answer without a judgement
    is no vote, and is counted as `judgements.unreadable`; a problem without votes is kept, since
    solving it tells as well.
    """

    name: str = "sound"
    sampler: SamplerSettings

    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Problem
    reasons: ClassVar[Iterable[str]] = UNSOUND

    def episode(self, problem: Problem) -> Steps[Problem | Verdict]:
        responses = yield self.requests(self.sampler, instruction=problem.instruction)
        said = [found[-1].lower() for r in responses if (found := _JUDGEMENT.findall(r.text))]
        if lacking := len(responses) - len(said):
            yield Tally(self.name, "judgements.unreadable", responses[0].model, lacking)
        objections = Counter(judgement for judgement in said if judgement != "sound")
        if 2 * objections.total() <= len(said):
            return problem
        reason, count = objections.most_common(1)[0]
        return reject(reason, f"{count} of {len(said)} say so: {responses[0].text[-200:].strip()}")
