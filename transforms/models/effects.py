"""Episodes: the work on one record in which a model is asked and code is run, as a generator.

An episode yields effects, and is sent what becomes of them; what it returns is its result:

    def episode(self, task, pool):
        response = yield self.requests(self.sampler, task=task)[0]
        result = yield Job(response.text)
        return judged(task, response, result)

Effects are values:

- a `Request`: a model is asked, and gives a `Response`; one that `score` or `score_labels` makes
  asks how likely a given text is, or each of a few labels (`transforms.models.scores`);
- a `Job`: a program is run in the sandbox, and gives a `Result`; a `Check`: a program and then its
  checker, `Checked`; a `Cell`: a cell of a session, `CellResult`, whose `after` names the state to
  go on from. A session is branched by going on twice from one state;
- an `Invoke`: a tool is called, and gives `Invoked`;
- a `Tally`: an amount is counted, and gives None;
- a `Recall`, a `Keep`: what an episode came to that was played ahead of its stage (`run_ahead`).

Those of a list are worked on side by side, and give the list of what became of each. So an episode
needs neither Beam nor a model to be seen at work: `play` takes answers made by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, overload

from transforms.engine.accounting import Tally
from transforms.models.requests import Request
from transforms.models.tools import Invoke
from transforms.sandbox.jobs import Cell, Check, Job


class Ending(NamedTuple):
    """What the episode of a stage came to for a record."""

    returned: Any
    tallies: tuple[Tally, ...]


@dataclass(frozen=True)
class Recall:
    """Asks for what a stage's episode came to when it was played ahead (see `run_ahead`); gives its
    `Ending`, or None where none was kept."""

    stage: str
    record: Any


@dataclass(frozen=True)
class Keep:
    """Keeps what an episode came to for its stage, in a later segment; gives None."""

    recall: Recall
    ending: Ending


Effect = Request | Job | Check | Cell | Invoke | Tally | Recall | Keep
R = TypeVar("R")
Steps = Generator[Any, Any, R]
"""The steps of an episode with a result of type R: yields an effect or a list of them, and is sent
what became of it, or the list of that."""


class Played(NamedTuple, Generic[R]):
    """An episode played by hand: what it yielded, turn by turn, and what it returned."""

    turns: list[list[Effect]]
    result: R


def play(steps: Steps[R], answers: Callable[[Any], Any] | Iterable[Any] = ()) -> Played[R]:
    """Plays an episode by hand, without Beam, a model or a sandbox.

    Args:
        answers: what becomes of each effect: a function of it, or the answers in the order in
            which the effects are yielded. Tallies are not answered.

    Raises:
        ValueError: the episode yields more effects than there are answers.
    """
    given = None if callable(answers) else iter(answers)
    turns: list[list[Effect]] = []

    def answer(effect: Effect) -> Any:
        if isinstance(effect, Tally):
            return None
        if given is None:
            return answers(effect)  # type: ignore[operator]
        try:
            return next(given)
        except StopIteration:
            raise ValueError(f"there is no answer to {effect}") from None

    sent: Any = None
    while True:
        try:
            yielded = steps.send(sent)
        except StopIteration as end:
            return Played(turns, end.value)
        turns.append(yielded if isinstance(yielded, list) else [yielded])
        found = [answer(effect) for effect in turns[-1]]
        sent = found if isinstance(yielded, list) else found[0]


@overload
def side_by_side(several: Iterable[Steps[R]]) -> Steps[list[R]]: ...
@overload
def side_by_side(
    several: Iterable[Steps[R]], take: Callable[[list[Effect]], bool]
) -> Steps[list[R | None]]: ...
def side_by_side(
    several: Iterable[Steps[R]], take: Callable[[list[Effect]], bool] = lambda effects: True
) -> Steps[list[Any]]:
    """Goes through several steps at once, within an episode (`yield from`): what all of them wait
    for is yielded in one list.

    Args:
        take: whether effects may be yielded; steps that want to yield others end there.

    Returns:
        the results, in order; None for steps that were ended.
    """
    running = list(several)
    results: list[Any] = [None] * len(running)
    sent: dict[int, Any] = dict.fromkeys(range(len(running)))
    while sent:
        waiting: dict[int, tuple[bool, list[Effect]]] = {}
        for place, what in sent.items():
            try:
                yielded = running[place].send(what)
            except StopIteration as end:
                results[place] = end.value
                continue
            effects = yielded if isinstance(yielded, list) else [yielded]
            if take(effects):
                waiting[place] = isinstance(yielded, list), effects
            else:
                running[place].close()
        sent = {}
        if waiting:
            found = iter((yield [each for _, effects in waiting.values() for each in effects]))
            for place, (is_list, effects) in waiting.items():
                own = [next(found) for _ in effects]
                sent[place] = own if is_list else own[0]
    return results
