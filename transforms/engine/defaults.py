"""Groups of settings as conf/ has them, for a pipeline of one's own."""

from __future__ import annotations

from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError

from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONF
from transforms.recipes.settings import Settings


def group(name: str, choice: str | None = None, **changes: Any) -> Any:
    """Returns a group of settings: a choice of conf/NAME, with some of its keys changed.

    Args:
        name: such as sandbox, dedup, filter, decontaminate; a field of `Settings`.
        choice: a file of conf/NAME, such as strict (None: the one that `cotmill synthesize` takes).
        changes: key -> value.

    Raises:
        SettingsError: a key that the group does not have, or a value out of its bounds.

    >>> group("sandbox", "strict", wall_seconds=3).mode
    'strict'
    """
    if choice is None:
        listed = yaml.safe_load((CONF / "synthesize.yaml").read_text())["defaults"]
        choice = next(item[name] for item in listed if isinstance(item, dict) and name in item)
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        values = OmegaConf.to_container(compose(overrides=[f"+{name}={choice}"]), resolve=True)
    assert isinstance(values, dict)
    kind: Any = Settings.model_fields[name].annotation
    try:
        return TypeAdapter(kind).validate_python({**values[name], **changes})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise SettingsError(f"{place}={first['input']!r}: {first['msg']}") from None
