"""What a command that runs a recipe can be told, and the models that a run is bound to."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Self, TypeVar

from pydantic import Field, model_validator

from transforms.engine.errors import SettingsError
from transforms.engine.remote import out_of_reach
from transforms.engine.runner_settings import AnyRunner
from transforms.engine.settings import FolderSettings, RecipeSettings, SinkSettings
from transforms.models.backends.settings import Backend, Named
from transforms.models.budget import Price
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.settings import BudgetSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.read import AnySource


class RunSettings(FolderSettings):
    """What every command that runs a recipe can be told."""

    recipe: RecipeSettings
    source: AnySource
    sandbox: SandboxSettings
    runner: AnyRunner
    sink: SinkSettings
    empty_status: int = Field(
        3,
        ge=0,
        le=125,
        description="exit status of a finished run that accepted no row (0: not a failure)",
    )

    @model_validator(mode="after")
    def _workers_reach_all(self) -> Self:
        if lines := out_of_reach(self, self.runner):
            raise ValueError("; ".join(lines))
        return self


class ModelRunSettings(RunSettings):
    """What every command that runs a recipe with models can be told."""

    backend: Backend
    models: Named[Backend] = Field(
        {},
        description="name -> backend of its own, as for backend, for the stages that ask a model "
        "by this name, such as models.judge={engine: openai, ...}; other names ask backend; with "
        "backend=replay all are replayed",
    )
    seed: int = Field(0, ge=0, description="seed of every random choice of the run")
    ledger: LedgerSettings
    budget: BudgetSettings = BudgetSettings()
    prices: dict[str, Price] = Field(
        {},
        description="model -> {prompt: ..., cached: ..., generated: ...}, money per million "
        "tokens; what the run costs is shown if its models are in here",
    )

    @model_validator(mode="after")
    def _cost_has_a_price(self) -> Self:
        for place, backend in backends_of(self).items():
            model, own = backend.answering, getattr(backend, "budget", BudgetSettings())
            limited = {"budget": self.budget, f"{place}.budget": own}
            for name, budget in limited.items():
                if budget.max_cost is not None and model is not None and model not in self.prices:
                    raise ValueError(
                        f"{name}.max_cost needs the price of {model}: set prices={{{model}: "
                        "{prompt: ..., cached: ..., generated: ...}}"
                    )
        return self


M = TypeVar("M", bound=ModelRunSettings)


def backends_of(settings: ModelRunSettings) -> dict[str, Backend]:
    """Returns every backend of a run, by the name of its setting: `backend`, `models.NAME`."""
    named = {f"models.{name}": backend for name, backend in settings.models.items()}
    return {"backend": settings.backend, **named}


def backend_for(settings: ModelRunSettings, name: str | None) -> Backend:
    """Returns the backend of the model that a recipe calls `name`; None is the run's own."""
    return settings.backend if name is None else settings.models.get(name, settings.backend)


def check_models(settings: ModelRunSettings, names: Collection[str]) -> None:
    """Raises SettingsError for a name in `models` that is none of `names`, those of the recipe."""
    for name in settings.models:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            asked = f"it asks {', '.join(sorted(names))}" if names else "it names none"
            hint = f"did you mean models.{near[0]}?" if near else asked
            raise SettingsError(
                f"models.{name}: no stage of recipe {settings.recipe.name} asks a model of this "
                f"name: {hint} (model and ..._model in recipe.stages.STAGE name them)"
            )


def with_backends(settings: M, change: Callable[[str, Backend], Backend]) -> M:
    """Returns settings with `change(name of the setting, backend)` in place of each backend."""
    backend, *models = (change(place, each) for place, each in backends_of(settings).items())
    named = dict(zip(settings.models, models, strict=True))
    return settings.model_copy(update={"backend": backend, "models": named})
