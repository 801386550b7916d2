"""Games as conversations: played turn by turn by a model, or by a program that it writes."""

from __future__ import annotations

from contextlib import suppress

from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.programs.questions import NotLiteral, read_literal
from transforms.sandbox.jobs import Cell, CellResult, Status
from transforms.stages.graders import last_block
from transforms.stages.trajectories.conversation import Conversation, ask
from transforms.stages.trajectories.records import Ended
from transforms.worlds.game import Game
from transforms.worlds.turns import Turns


def by_turns(turns: Turns, talk: Conversation, words: PromptTemplate) -> Steps[None]:
    """Asks for the moves of a game one by one, each in a fenced block.

    Args:
        words: of what is said between moves, over `Turns.next`.
    """
    while turns.goes_on:
        written = yield from ask(talk)
        if written is None:
            return
        move = last_block(written.text) or ""
        turns.take(move)
        if turns.goes_on:
            talk.add(words.message(**turns.next))
        elif turns.refused:
            return talk.end(Ended.FORMAT, f"no legal move twice: {move[:200]}")
    talk.end(Ended.ANSWERED)


def by_program(game: Game, talk: Conversation) -> Steps[None]:
    """Asks for a program with a function `solution`, and runs it in a session: a cell for each
    move, which is given what players see (`Game.seen`)."""
    written = yield from ask(talk)
    if written is None:
        return
    ran: CellResult = yield Cell(last_block(written.text) or "")
    while not game.is_over:
        if talk.cells == talk.limits.cells:
            return talk.end(Ended.CELLS, f"{talk.cells} moves")
        if ran.status is Status.OK:
            ran = yield Cell(f"solution({game.seen!r})", ran.after)
            talk.cells += 1
        if ran.status is not Status.OK:
            return talk.end(Ended.ERRORS, (ran.error or ran.status)[-200:])
        move = ran.value or ""
        with suppress(NotLiteral):
            move = str(read_literal(move))
        if not game.play(move):
            return talk.end(Ended.FORMAT, f"no legal move: {move[:200]}")
    talk.end(Ended.ANSWERED)
