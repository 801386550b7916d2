"""stateact: text games in which each turn restates goal and state, then acts (arXiv 2410.02810)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.tools import Invoke
from transforms.stages.trajectories.conversation import Conversation, Seen, converse
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.dialogues import Body, Called
from transforms.stages.trajectories.keys import accuracies, as_objects, with_keys
from transforms.stages.trajectories.records import Ended


@dataclass(kw_only=True)
class Act(Converse):
    """PCollection[Seed] (a game) -> Outcome of Trajectory: `sampler.samples` plays of each game.

    The game is the tool `game`: a function of `game`, the seed's column of that name, and of
    `actions`, all so far, that returns `text`, `over` and `score`, and may return `state`, what the
    keys would rightly say. The prompt is rendered with `keys`, `examples` and `is_json`, too: a
    dialogue of JSON has each turn as one object, which calls by its key of the action.
    """

    name: str = "act"
    keys: tuple[str, ...]
    """The keys that each turn has a line for, in order; the last one is that of the action."""
    examples: str
    """Plays with all keys that there are; lines of keys that `keys` lacks are not shown."""

    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "not_solved", "no_game")

    def unfit(self, seed: Seed) -> Verdict | None:
        named = "game" in json.loads(seed.metadata)
        return None if named else reject("no_game", "the seed has no column `game`")

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        examples, is_json = with_keys(self.examples, self.keys), self.dialogue.body is Body.JSON
        shown = {"examples": as_objects(examples) if is_json else examples, "is_json": is_json}
        return {**super().words(seed, sample), "keys": self.keys, **shown}

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk, actions = self.begun(seed, sample, start), list[str]()
        seen = [(yield from self.played(seed, actions))]

        def act(talk: Conversation, called: Called) -> Steps[Seen]:
            actions.append(called.name if self.dialogue.body is Body.JSON else called.text)
            talk.cells += 1
            seen.append((yield from self.played(seed, actions)))
            return Seen(called, seen[-1]["text"], False)

        def after(talk: Conversation, _: Sequence[Seen]) -> None:
            if seen[-1]["over"]:
                talk.end(Ended.ANSWERED)

        yield from converse(talk, after=after, run=act)
        if talk.ended is Ended.ANSWERED and not seen[-1]["over"]:
            talk.end(Ended.FORMAT, f"no `{self.keys[-1]}`")
        talk.final, score = canonical_json(actions), float(seen[-1]["score"])
        talk.data["stated"] = accuracies(talk.turns, [each.get("state", {}) for each in seen])
        verdict = talk.verdict
        if verdict.kept and score < 1:
            verdict = reject("not_solved", f"score {score:.3g} after {len(actions)} actions")
        return self.tried(talk, score, verdict)

    def played(self, seed: Seed, actions: Sequence[str]) -> Steps[dict[str, Any]]:
        """Returns what the game shows after some actions.

        Raises:
            SettingsError: the tool fails, or does not answer as a game does.
        """
        arguments = {"game": json.loads(seed.metadata)["game"], "actions": list(actions)}
        gave = yield Invoke(self.tools["game"], canonical_json(arguments))
        try:
            seen: dict[str, Any] = json.loads(gave.text)
            _ = seen["text"], seen["over"], seen["score"]
        except (ValueError, LookupError, TypeError, RecursionError):
            what = gave.error or "it returns no object with text, over and score"
            raise SettingsError(f"recipe.stages.{self.name}.tools.game: {what}") from None
        return seen
