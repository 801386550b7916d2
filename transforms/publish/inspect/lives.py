"""One record's whole life: its seeds, what models were asked, each state, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.engine.errors import SettingsError
from transforms.models.ledger.parts import ledger_parts
from transforms.publish.catalog import Catalog, End, Query, State
from transforms.publish.inspect.answers import Answer, answers_about, by_prompt, own_texts

ANSWERS = 40
"""Answers of models that are shown of a record, at most."""


@dataclass(frozen=True)
class Step:
    """What happened to a record in one segment."""

    segment: str
    """Empty for answers to stages that the run does not have."""
    asked: list[Sequence[Answer]]
    """Answers of models, grouped by their prompt."""
    states: list[tuple[State, dict[str, Any]]]
    """Each state, and the fields that changed since the one before."""


@dataclass(frozen=True)
class Life:
    """What is known of one record."""

    id: str
    states: list[State]
    """In the order of its life; its id may change where a stage makes another record of it."""
    seeds: list[State]
    """The seeds behind it, as last verified."""
    lost_seeds: list[str]
    """Ids of seeds that the folder does not hold."""
    steps: list[Step]
    answers: int
    """Answers in the ledger that concern it; `steps` have the first of them."""
    unreadable: list[str]
    """Parts of the ledger that could not be read."""
    descendants: list[tuple[End, str, str, int]]
    """Of a seed: how many of the records made from it ended how (end, stage, reason, count)."""

    @property
    def last(self) -> State:
        return self.states[-1]


def life(catalog: Catalog, record_id: str) -> Life:
    """Returns the life of the record whose id is, or alone begins with, `record_id`.

    Raises:
        SettingsError: no record has such an id, or several have.
    """
    states = _linked(catalog, catalog.states_of(_whole_id(catalog, record_id)))
    seed_ids = [seed for seed in states[-1].seed_ids if seed not in {s.id for s in states}]
    found = {seed: catalog.states_of(seed) for seed in dict.fromkeys(seed_ids)}
    is_seed = states[-1].end is End.KEPT and not states[-1].seed_ids
    texts = {text for state in states for text in own_texts(state.record).values()}
    answers = answers_about(_ledger(catalog), sorted(texts), ANSWERS)
    return Life(
        id=states[-1].id,
        states=states,
        seeds=[of[-1] for of in found.values() if of],
        lost_seeds=[seed for seed, of in found.items() if not of],
        steps=_steps(catalog, states, answers.first),
        answers=answers.total,
        unreadable=answers.unreadable,
        descendants=catalog.ended(Query(seed=states[-1].id)) if is_seed else [],
    )


def _whole_id(catalog: Catalog, prefix: str) -> str:
    ids = catalog.ids_with(prefix)
    if prefix in ids or len(ids) == 1:
        return prefix if prefix in ids else ids[0]
    if ids:
        raise SettingsError(f"id={prefix} is the beginning of several ids: {', '.join(ids)}")
    raise SettingsError(
        f"id={prefix}: no record in {catalog.run.root} has an id that begins with it; "
        "search=TEXT finds records by their text"
    )


def _linked(catalog: Catalog, states: list[State]) -> list[State]:
    """Adds the states of a record under other ids: the one that it was made of in a stage that
    keeps its texts, and the one that was made of it."""
    for step in (-1, 1):
        while True:
            state = states[0] if step < 0 else states[-1]
            other = _neighbour(catalog, state, step)
            if other is None or other.id in {each.id for each in states}:
                break
            further = catalog.states_of(other.id)
            states = further + states if step < 0 else states + further
    return states


def _neighbour(catalog: Catalog, state: State, step: int) -> State | None:
    """The record with the same texts in the segment before (-1) or after (1) that of `state`;
    after it, also one that was rejected or put off there."""
    number = catalog.segment_of(state.stage)
    target = number + step
    if not 0 <= target < len(catalog.segments) or catalog.segments[max(number, target)].draws:
        return None
    if step > 0 and state.end is not End.KEPT:
        return None
    fields = state.record if isinstance(state.record, dict) else {}
    texts = {name: text for name, text in own_texts(fields).items() if name in fields}
    if not texts:
        return None
    kept = catalog.like(target, texts)
    return kept if kept is not None or step < 0 else catalog.refused_like(target, texts)


def _ledger(catalog: Catalog) -> str:
    beside = catalog.run.path("ledger")
    elsewhere = (catalog.manifest["config"].get("ledger") or {}).get("dir")
    return beside if ledger_parts(beside) or not elsewhere else elsewhere


def _steps(catalog: Catalog, states: Sequence[State], answers: Sequence[Answer]) -> list[Step]:
    steps = []
    before: Mapping[str, Any] = {}
    stages: set[str] = set()
    for segment in catalog.segments:
        names = {stage["name"] for stage in segment.stages}
        changed = []
        for state in (state for state in states if state.stage in names):
            changed.append((state, changes(state.record, before)))
            before = state.record if isinstance(state.record, dict) else {}
        asked = [answer for answer in answers if answer.stage in names]
        if changed or asked:
            steps.append(Step(segment.name, by_prompt(asked), changed))
        stages |= names
    if others := [answer for answer in answers if answer.stage not in stages]:
        steps.append(Step("", by_prompt(others), []))
    return steps


def changes(record: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are set or changed since `before`, without the empty ones.

    >>> changes({"id": "1", "code": "x", "error": None}, {"id": "1"})
    {'code': 'x'}
    """
    if not isinstance(record, dict):
        return {"record": record}
    return {
        name: value
        for name, value in record.items()
        if value not in (None, "", [], {}, "{}") and before.get(name) != value and name != "id"
    }
