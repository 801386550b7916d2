"""What `cotmill synthesize` can be told: a run with models, and what the recipes' stages share."""

from __future__ import annotations

from transforms.engine.run_settings import ModelRunSettings
from transforms.programs.checks import FilterSettings
from transforms.recipes.augment.rewrite import AugmentationSettings
from transforms.recipes.caco.settings import SamplingSettings
from transforms.recipes.caco.verify import VerifySettings
from transforms.stages.diversity.settings import DecontaminateSettings, DedupSettings


class Settings(ModelRunSettings):
    """Everything `cotmill synthesize` can be told."""

    sampling: SamplingSettings
    filter: FilterSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings
    augmentation: AugmentationSettings
