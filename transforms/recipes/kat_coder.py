"""kat_coder: several reference answers to one problem (KAT-Coder, arXiv 2510.18779)."""

import json

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.stages.judge import as_pair, compare


def agrees_with_any(seed: Seed, answer: str) -> Steps[float]:
    """Grades an answer: 1 where it agrees with the seed's or with one of those in its column
    `answers`, else 0."""
    same = yield from compare([as_pair(each, answer) for each in references(seed)])
    return float(any(same))


def references(seed: Seed) -> list[str]:
    """Returns the right answers to a seed's problem, each once."""
    more = json.loads(seed.metadata).get("answers") or []
    return list(dict.fromkeys(str(each) for each in (seed.answer, *more) if each is not None))
