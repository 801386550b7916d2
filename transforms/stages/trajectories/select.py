"""Selectors: which of the attempts at a problem, or of any records that share a field, stay.

A selector is a pure function of a group of records, in the order of their ids, so that the order in
which they arrive decides nothing. It yields (id, rejection) of those that do not stay. Its keyword
arguments name the records' fields and say how many stay; ties go to the smallest id.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NewType, TypeVar, get_type_hints

import numpy as np
from pydantic import BeforeValidator, Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.groups import GroupMap
from transforms.engine.ids import derived_seed
from transforms.engine.stage import chosen
from transforms.programs import Unparsable, fingerprint
from transforms.stages.diversity.components import contracted
from transforms.stages.diversity.minhash import (
    index_block,
    jaccard,
    low_bits,
    minima,
    node,
    record_id,
    similar_pairs,
)
from transforms.stages.judge import as_pair
from transforms.stages.trajectories.errors import shows_error
from transforms.text.answers import compare_plain
from transforms.text.shingles import shingles, words

Group = Sequence[Any]
"""Records that share a field."""
Losers = Iterator[tuple[str, Verdict]]
"""(id, rejection) of each record of a group that does not stay."""
Selector = Callable[[Group], Losers]
FieldName = NewType("FieldName", str)
"""The type of an argument that names a field of the records."""
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
S = TypeVar("S", bound=Callable[..., Losers])

SCORE, ANSWER = FieldName("score"), FieldName("answer")
TEXT, CODE = FieldName("messages"), FieldName("code")
_PERM, _BANDS, _NGRAM = 128, 32, 5
"""MinHash of texts: permutations, bands, words of a shingle."""


def rejects(*reasons: str) -> Callable[[S], S]:
    """Says for what reasons a selector rejects: `Select` declares them."""

    def mark(selector: S) -> S:
        selector.reasons = reasons  # type: ignore[attr-defined]
        return selector

    return mark


def written(value: Any) -> str:
    """Returns the text of a field: of a conversation, what was sampled, or else what its assistant
    said."""
    if isinstance(value, str):
        return value
    return "".join(
        turn.content for turn in value or () if getattr(turn, "sampled", turn.role == "assistant")
    )


def all_but(group: Group, stay: Iterable[Any], reason: str, detail: str = "") -> Losers:
    """Yields the rejections of the records of a group that are not among those that stay."""
    ids = {record.id for record in stay}
    yield from ((each.id, reject(reason, detail)) for each in group if each.id not in ids)


def _parted(group: Group, score: str, right: float) -> tuple[list[Any], list[Any]]:
    """The records whose score is `right` or more, and the others."""
    good = [each for each in group if getattr(each, score) >= right]
    return good, [each for each in group if getattr(each, score) < right]


@rejects("lower_score")
def highest(group: Group, *, score: FieldName = SCORE, keep: Count = 1) -> Losers:
    """The highest scores stay."""
    best = sorted(group, key=lambda each: -getattr(each, score))
    return all_but(group, best[:keep], "lower_score")


@rejects("wrong", "longer")
def shortest_right(
    group: Group,
    *,
    score: FieldName = SCORE,
    text: FieldName = TEXT,
    right: float = 1.0,
    keep: Count = 1,
) -> Losers:
    """The shortest texts of those with a score of `right` or more stay."""
    good, bad = _parted(group, score, right)
    yield from all_but(bad, (), "wrong")
    good.sort(key=lambda each: len(written(getattr(each, text))))
    yield from all_but(good, good[:keep], "longer")


@rejects("wrong", "shorter")
def longest_right(
    group: Group,
    *,
    score: FieldName = SCORE,
    text: FieldName = TEXT,
    right: float = 1.0,
    keep: Count = 1,
) -> Losers:
    """The longest texts of those with a score of `right` or more stay, as AIMO-2 keeps summaries
    (arXiv 2504.16891)."""
    good, bad = _parted(group, score, right)
    yield from all_but(bad, (), "wrong")
    good.sort(key=lambda each: -len(written(getattr(each, text))))
    yield from all_but(good, good[:keep], "shorter")


@rejects("no_answer", "minority")
def majority(group: Group, *, answer: FieldName = ANSWER) -> Losers:
    """Those with the answer that most give stay; of answers given as often, the one with the
    smallest id. Answers that exact rules hold for the same count as one."""
    answered = [each for each in group if getattr(each, answer) is not None]
    yield from all_but(group, answered, "no_answer")
    words_of: list[tuple[str, list[Any]]] = []
    for each in sorted(answered, key=lambda each: str(getattr(each, answer))):
        said = str(getattr(each, answer))
        alike = (members for worded, members in words_of if _same(worded, said))
        members = next(alike, None)
        if members is None:
            words_of.append((said, [each]))
        else:
            members.append(each)
    if words_of:
        _, most = min(words_of, key=lambda item: (-len(item[1]), min(m.id for m in item[1])))
        yield from all_but(answered, most, "minority", f"{len(most)} of {len(group)} say otherwise")


def _same(one: str, other: str) -> bool:
    pair = as_pair(one, other)
    return one == other or compare_plain(pair.output, pair.answer or "") is True


@rejects("equal_scores")
def unequal_scores(group: Group, *, score: FieldName = SCORE) -> Losers:
    """Groups stay whose scores are not all the same: the others teach a group-relative policy
    gradient nothing."""
    if len({getattr(each, score) for each in group}) == 1:
        yield from all_but(group, (), "equal_scores", f"{getattr(group[0], score):.3g}")


@rejects("too_hard", "too_easy")
def difficulty(
    group: Group,
    *,
    score: FieldName = SCORE,
    right: float = 1.0,
    at_least: Share = 0.0,
    at_most: Share = 1.0,
) -> Losers:
    """Groups stay whose share of right attempts is within bounds."""
    share = len(_parted(group, score, right)[0]) / len(group)
    if not at_least <= share <= at_most:
        reason = "too_hard" if share < at_least else "too_easy"
        yield from all_but(group, (), reason, f"{share:.3g} right")


def potential(share: float) -> float:
    """Returns how much a problem can teach whose attempts are right with a share p: 4p(1-p)
    (R1-Code-Interpreter, arXiv 2505.21668).

    >>> potential(0.5), potential(1.0)
    (1.0, 0.0)
    """
    return 4 * share * (1 - share)


def potential_bin(share: float, bins: int) -> int:
    """Returns the bin of a problem among `bins` of equal width: 0 has the highest potential.

    The paper does not give the borders.

    >>> [potential_bin(share, 4) for share in (0.5, 0.8, 0.95, 1.0)]
    [0, 1, 3, 3]
    """
    return min(int((1 - potential(share)) * bins), bins - 1)


@rejects("sure", "same_kind")
def unsure(
    group: Group, *, score: FieldName = SCORE, right: float = 1.0, below: Share = 0.9
) -> Losers:
    """One right attempt stays where not all are right, and one wrong one where fewer than a share
    `below` are right (the self-distillation of DualDistill, arXiv 2507.05707)."""
    good, bad = _parted(group, score, right)
    stays = [good[:1] if bad else [], bad[:1] if len(good) < below * len(group) else []]
    for kind, stay in zip((good, bad), stays, strict=True):
        yield from all_but(kind, stay, "same_kind" if stay else "sure")


@rejects("other_potential")
def of_potential(
    group: Group,
    *,
    score: FieldName = SCORE,
    right: float = 1.0,
    bins: Count = 4,
    stay: tuple[int, ...],
) -> Losers:
    """Groups of some bins of potential stay: a stage of a curriculum (`potential_bin`)."""
    place = potential_bin(len(_parted(group, score, right)[0]) / len(group), bins)
    if place not in stay:
        yield from all_but(group, (), "other_potential", f"bin {place} of {bins}")


@rejects("same_kind")
def one_of_each(
    group: Group, *, kind: FieldName, score: FieldName = SCORE, keep: Count = 1
) -> Losers:
    """At most `keep` records of each value of a field stay: the highest scores."""
    yield from _few_of_each(group, lambda each: getattr(each, kind), score, keep, "same_kind")


@rejects("same_structure")
def one_of_each_structure(
    group: Group, *, code: FieldName = CODE, score: FieldName = SCORE, keep: Count = 1
) -> Losers:
    """At most `keep` records of each structure of programs stay (syntax trees without names and
    constants): the highest scores. Code that does not parse is a structure of its own."""

    def structure(each: Any) -> str:
        try:
            return fingerprint(getattr(each, code))
        except Unparsable:
            return str(each.id)

    yield from _few_of_each(group, structure, score, keep, "same_structure")


def _few_of_each(
    group: Group, key: Callable[[Any], Any], score: str, keep: int, reason: str
) -> Losers:
    seen: Counter[Any] = Counter()
    for each in sorted(group, key=lambda each: -getattr(each, score)):
        name = key(each)
        seen[name] += 1
        if seen[name] > keep:
            yield each.id, reject(reason, str(name))


def _sketches(group: Group, text: str) -> np.ndarray:
    """The MinHash of each record's text, shape (n, _PERM)."""
    said = (words(written(getattr(each, text))) for each in group)
    return minima([shingles(each, _NGRAM) for each in said], _PERM)


@rejects("near_duplicate", "over_limit")
def unlike(
    group: Group, *, text: FieldName = TEXT, keep: Count = 50, threshold: Share = 0.8
) -> Losers:
    """At most `keep` records stay that are less alike than `threshold` (estimated Jaccard
    similarity of 5-word shingles, MinHash LSH); of those alike the smallest id.

    What makes LLMs reason in code generation? (arXiv 2410.08105) keeps 50 a problem.
    """
    nodes = [node(0, each.id) for each in group]
    block = index_block(nodes, _sketches(group, text), _BANDS)
    links = zip(*(found.tolist() for found in similar_pairs([block], threshold)), strict=True)
    alike = {record_id(one): record_id(first) for one, first in contracted(links)}
    for name, first in alike.items():
        yield name, reject("near_duplicate", f"like {first}")
    rest = [each for each in group if each.id not in alike]
    yield from all_but(rest, rest[:keep], "over_limit")


@rejects("less_novel")
def novel(
    group: Group, *, text: FieldName = TEXT, score: FieldName = SCORE, keep: Count = 4
) -> Losers:
    """The highest score stays, and then, one after another, the record that is least like those
    that stay (estimated Jaccard similarity of 5-word shingles)."""
    sketches = low_bits(_sketches(group, text))
    rest = sorted(range(len(group)), key=lambda place: -getattr(group[place], score))
    nearest = np.full(len(group), -1.0)
    stay: list[int] = []
    while rest and len(stay) < keep:
        place = min(rest, key=lambda each: nearest[each]) if stay else rest[0]
        rest.remove(place)
        stay.append(place)
        to_last = jaccard(sketches, np.broadcast_to(sketches[place], sketches.shape))
        nearest = np.maximum(nearest, to_last)
    return all_but(group, [group[place] for place in stay], "less_novel")


def error_share(record: Any, text: str = TEXT) -> float:
    """Returns the share of a conversation's results of code and tools that show an error; 0.5 where
    it has none.

    rStar2-Agent's released code looks for the letters `error` anywhere in a result.
    """
    turns = getattr(record, text)
    first = next((n for n, turn in enumerate(turns) if turn.role == "assistant"), len(turns))
    results = [turn for turn in turns[first:] if turn.role != "assistant"]
    errors = (getattr(turn, "failed", False) or shows_error(turn.content) for turn in results)
    return sum(errors) / len(results) if results else 0.5


def tag_penalty(record: Any, tag: str, text: str = TEXT) -> float:
    """Returns 0 for a conversation with one `<tag>...</tag>`, more for several, and 1 where one is
    missing or not closed: (number - 1) / turns of the model, as in rStar2-Agent."""
    turns = [turn for turn in getattr(record, text) if turn.role == "assistant"]
    said = "\n".join(turn.content for turn in turns)
    opened, closed = said.count(f"<{tag}>"), said.count(f"</{tag}>")
    return min((opened - 1) / len(turns), 1.0) if opened == closed > 0 else 1.0


@rejects("equal_scores", "less_clean", "surplus_wrong")
def resample_on_correct(
    group: Group,
    *,
    score: FieldName = SCORE,
    text: FieldName = TEXT,
    right: float = 1.0,
    keep: Count | None = None,
    least: Count = 2,
    tag: str | None = "answer",
    rule: Literal["code", "paper"] = "code",
) -> Losers:
    """Half of a group stays, right and wrong in proportion and at least `least` of each, right ones
    by how clean they are (rStar2-Agent, arXiv 2508.20722; groups of equal scores are dropped).

    A penalty is the share of results that show an error, and `tag_penalty` unless `tag` is None.
    The released code keeps the lowest penalties and the first wrong attempts; the paper draws right
    ones with probability inverse to the penalty and wrong ones evenly (here: by their ids).

    Args:
        keep: how many stay; None for half. All of a smaller group stay (the code drops them).
    """
    good, bad = _parted(group, score, right)
    if not good or not bad:
        yield from all_but(group, (), "equal_scores")
        return
    size = min(keep or round(len(group) / 2), len(group))
    wrong = round(len(bad) * size / len(group))
    wrong = max(wrong, min(least, len(bad)))
    wrong = min(wrong, size - min(least, len(good)))
    wrong = min(max(wrong, size - len(good)), len(bad))

    def penalty(each: Any) -> float:
        tags = tag_penalty(each, tag, text) if tag is not None else 0.0
        return error_share(each, text) + tags

    def drawn(each: Any) -> float:
        """A key by which the first n are a weighted sample without replacement (Efraimidis and
        Spirakis 2006): weight 1 / (penalty + 0.01)."""
        uniform = random.Random(derived_seed(0, "resample", each.id)).random()
        return -(uniform ** (penalty(each) + 0.01))

    def evenly(each: Any) -> int:
        return derived_seed(0, "resample", each.id)

    clean = sorted(good, key=penalty if rule == "code" else drawn)
    first = bad if rule == "code" else sorted(bad, key=evenly)
    yield from all_but(good, clean[: size - wrong], "less_clean")
    yield from all_but(bad, first[:wrong], "surplus_wrong")


SELECTORS: dict[str, Callable[..., Losers]] = {
    selector.__name__: selector
    for selector in (
        *(highest, shortest_right, longest_right, majority, unequal_scores, difficulty),
        *(of_potential, unsure, one_of_each, one_of_each_structure, unlike, novel),
        resample_on_correct,
    )
}
"""Name -> selector."""

Chosen = Annotated[Selector, BeforeValidator(partial(chosen, known=SELECTORS))]
"""The type of a selector that a recipe chooses by name or import path, with arguments."""


@dataclass(kw_only=True)
class Select(GroupMap):
    """PCollection[record] -> Outcome of the same: of each group, those that a selector lets
    stay."""

    name: str = "select"
    rule: Chosen
    """A name in `SELECTORS` or an import path, alone or with arguments: `{highest: {keep: 2}}`."""

    def rejects_for(self) -> tuple[str, ...]:
        return (*super().rejects_for(), *getattr(self.rule, "reasons", ()))

    def named_fields(self) -> dict[str, str]:
        arguments: Mapping[str, Any] = getattr(self.rule, "keywords", {})
        hints = get_type_hints(getattr(self.rule, "__wrapped__", self.rule))
        own = {f"rule.{n}": v for n, v in arguments.items() if hints.get(n) is FieldName}
        return super().named_fields() | own

    def of(self, group: Group) -> Iterable[tuple[Any, Verdict]]:
        losers = dict(self.rule(group))
        return [(record, losers.get(record.id, keep())) for record in group]
