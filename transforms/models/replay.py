"""Replays: finds out of a ledger which model its requests asked, and how."""

from __future__ import annotations

from typing import Any

from transforms.engine.errors import BackendError
from transforms.models.backends.settings import Backend, ReplayBackend
from transforms.models.ledger.parts import (
    PartGone,
    PartUnreadable,
    ledger_parts,
    read_columns,
    warn_unreadable,
)

_ASKED = ["model", "api", "continue_prefix", "model_id"]


def replayed(backend: Backend) -> ReplayBackend:
    """Returns the replay of what `backend` answered; `resolve_replay` fills in the rest."""
    if isinstance(backend, ReplayBackend):
        return backend
    values = {
        name: getattr(backend, name)
        for name in ReplayBackend.model_fields
        if name not in ("engine", "model", "continue_prefix")
    }
    return ReplayBackend(engine="replay", model=backend.answering, **values).at(backend.place)


def resolve_replay(
    backend: ReplayBackend, ledger_dir: str, place: str = "backend"
) -> ReplayBackend:
    """Returns `backend` with model, model_id, api and continue_prefix as the ledger has them.

    What the backend states already is kept, and chooses among the ledger's. Of a run's several
    models, one that was never asked is replayed too.

    Args:
        place: the setting that it comes from, for errors.

    Raises:
        BackendError: the ledger holds no such request, or several ways of asking.
    """
    stated = {name: getattr(backend, name) for name in _ASKED}
    found: set[tuple[Any, ...]] = set()
    for path in ledger_parts(ledger_dir):
        try:
            ways = read_columns(path, _ASKED).group_by(_ASKED).aggregate([])
        except PartGone:  # replaced since it was listed
            return resolve_replay(backend, ledger_dir, place)
        except PartUnreadable as error:
            warn_unreadable(error)
            continue
        rows = (row for row in ways.to_pylist() if row["model"])  # a tool's answer names none
        found.update(tuple(row[name] for name in _ASKED) for row in rows)
    chosen = [
        ways
        for ways in sorted(found, key=str)
        if all(value in (None, way) for value, way in zip(stated.values(), ways, strict=True))
    ]
    if len(chosen) == 1:
        return backend.model_copy(update=dict(zip(_ASKED, chosen[0], strict=True)))
    if found and not chosen and place != "backend":
        # All records may have been rejected before one came to this model: a request is missed then
        # where it is made.
        never = {"api": "chat", "continue_prefix": False, "model_id": ""}
        return backend.model_copy(update={**never, **{k: v for k, v in stated.items() if v}})
    if not chosen:
        held = ", ".join(sorted({str(ways[0]) for ways in found})) or "nothing"
        raise BackendError(
            f"the ledger {ledger_dir} has nothing to replay for "
            f"{place}.model={stated['model'] or 'null'}: it holds {held}"
        )
    models = sorted({str(ways[0]) for ways in chosen})
    if len(models) > 1:
        raise BackendError(
            f"the ledger {ledger_dir} holds several models ({', '.join(models)}): "
            f"set {place}.model to one of them"
        )
    contents = sorted({str(ways[3]) or models[0] for ways in chosen})
    if len(contents) > 1:
        raise BackendError(
            f"the ledger {ledger_dir} holds several contents of {models[0]} "
            f"({', '.join(contents)}): set {place}.model_id to one of them"
        )
    raise BackendError(
        f"the ledger {ledger_dir} holds {models[0]} asked in several ways "
        f"({'; '.join(f'api={w[1]} continue_prefix={w[2]}' for w in chosen)}): "
        f"set {place}.api and {place}.continue_prefix"
    )
