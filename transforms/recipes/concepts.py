"""biomechanics_concepts: statements out of a folder of texts, and their negations, each with the
passage that decides it (after arXiv 2511.15752)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.models.tools import Tools, invoke
from transforms.stages.trajectories.search import titled_passages

_PAIRS = """increases/decreases increase/decrease increased/decreased larger/smaller higher/lower
    longer/shorter more/less greater/smaller above/below faster/slower shortens/lengthens
    shortening/lengthening stronger/weaker thicker/thinner maximum/minimum always/never
    tension/compression anterior/posterior proximal/distal medial/lateral inner/outer
    dorsal/ventral"""
_OPPOSITE = {
    one: other for pair in re.findall(r"(\w+)/(\w+)", _PAIRS) for one, other in (pair, pair[::-1])
}
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_OPPOSITE, key=len, reverse=True))})\b")
_VERB = re.compile(r"\b(?:is|are|was|were|does|do|will)\b")
_DOUBTFUL = re.compile(
    r"\b(?:not|cannot|no|never|nor|neither|without|only|unless|if|when|while|because|that|which|who"
    r"|where|as|since|although|though|until|but|or|some|may|can|often|usually|either"
    r"|it|they|them|this|these|those|such|each|both)\b|^(?:Its|Their)\b",
    re.IGNORECASE,
)
"""What leaves a doubt of what a negation says: another negation, a clause, a choice, a hedge, a
pronoun for what is named elsewhere."""
_SHARE = re.compile(r"\b(?:most|all|every|many|few|several|any|always)\b", re.IGNORECASE)
"""What a "not" may stand before or after: most levers are not of a class, or not most of them."""


def negated(sentence: str) -> str | None:
    """Returns a sentence that says the opposite: its one word that has an opposite is exchanged, or
    its only auxiliary verb gets a "not"; None where neither leaves no doubt.

    >>> negated("The stress decreases with the area."), negated("Bone is anisotropic.")
    ('The stress increases with the area.', 'Bone is not anisotropic.')
    >>> negated("A longer lever needs less force."), negated("Most levers are long.")
    (None, None)
    """
    words, verbs = _WORD.findall(sentence), _VERB.findall(sentence)
    if _DOUBTFUL.search(sentence):
        return None
    if len(words) == 1:
        return _WORD.sub(lambda match: _OPPOSITE[match[0]], sentence)
    if not words and len(verbs) == 1 and not _SHARE.search(sentence):
        return _VERB.sub(lambda match: f"{match[0]} not", sentence)
    return None


def statements(folder: str = "", characters: int = 600) -> Iterator[dict[str, str]]:
    """Yields each sentence of a folder's passages that can be negated, and its negation, as seeds'
    columns, for `source=function`.

    Args:
        folder: of texts `.md` and `.txt`; empty is the one that ships.
        characters: of a passage, at most: as many as the tool of the recipe has.
    """
    license_ = {} if folder else {"license": "Apache-2.0"}
    for title, passage in titled_passages(folder or SHIPPED, characters):
        prose = re.sub(r"^#.*$", "", passage, flags=re.MULTILINE)
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(prose.split())):
            other = negated(sentence) if 30 <= len(sentence) <= 200 else None
            for text, label in ((sentence, "true"), (other, "false")) if other else ():
                own = {"title": title, "passage": passage, **license_}
                yield {"problem": text, "answer": label, "kind": "statement", **own}


SHIPPED = str(DATA / "texts" / "biomechanics")
"""Short texts on the mechanics of the body."""


@dataclass(kw_only=True)
class Findable(Episode):
    """PCollection[Seed] -> Outcome of the same: statements whose own passage the tool `search`
    finds by their words."""

    name: str = "findable"
    tools: Tools = field(default_factory=dict)
    """`search`, a `TextSearch`."""

    reads: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = ("not_retrievable",)

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        found = yield from invoke(self.tools, "search", json.dumps({"query": seed.problem}))
        passage = json.loads(seed.metadata).get("passage")
        if passage in [each["passage"] for each in json.loads(found.text or "[]")]:
            return seed
        return reject("not_retrievable", found.error or "")


def cites(seed: Seed, answer: str) -> Steps[float]:
    """Grades an answer such as `false: Levers`, as `Converse.grader`: the label is right, and the
    passage that it names is the statement's own."""
    yield from ()
    label, _, title = answer.strip().partition(":")
    own = json.loads(seed.metadata).get("title", "")
    right = label.strip().lower() == seed.answer and title.strip(" .[]\"'").lower() == own.lower()
    return float(right)
