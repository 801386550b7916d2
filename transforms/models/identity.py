"""What identifies a model: its name, or the content of its files where they are on this machine."""

from __future__ import annotations

from pathlib import Path

from transforms.engine.ids import canonical_json
from transforms.models.backends.settings import Backend, VllmBackend
from transforms.models.digests import adapter_digest, model_digest
from transforms.models.embedded.adapters import adapter_folder
from transforms.models.embedded.smollm2 import EMBEDDED

_FIRST = {"c78b362672e742ff5fe40517c5f91dd1": "smollm2-135m-caco"}
"""Contents that the first ledgers knew by name alone; under these names they stay valid."""


def identified(backend: Backend) -> Backend:
    """Returns `backend` with its `model_id`, where model or adapter are files and it names none.

    The embedded model and names on a hub or an endpoint stay names. Arguments of vLLM's engine
    that change answers, such as a quantization, make another model.

    Raises:
        BackendError: the adapter, or a file of either, cannot be read.
    """
    if not isinstance(backend, VllmBackend) or backend.model_id is not None:
        return backend
    parts = [_model(backend.model)]
    if backend.adapter is not None:
        parts.append(_adapter(adapter_folder(backend.adapter, f"{backend.place}.adapter")))
    if changes := backend.changes_answers():
        parts.append(canonical_json(changes))
    model_id = "+".join(parts)
    if model_id == backend.answering:
        return backend
    return backend.model_copy(update={"model_id": model_id})


def _model(name: str) -> str:
    place = Path(name).expanduser()
    return name if name == EMBEDDED or not place.exists() else f"blake2b:{model_digest(place)}"


def _adapter(folder: Path) -> str:
    digest = adapter_digest(folder)
    return _FIRST.get(digest, f"blake2b:{digest}")
