"""Settings as `cotmill synthesize` composes them, for tests."""

from __future__ import annotations

from hydra import compose, initialize_config_dir

from pipelines.hydra_app import settable, to_settings
from transforms.engine.paths import CONF
from transforms.recipes.settings import Settings

OPENAI = ["backend=openai", "++backend.model=m", "++backend.base_url=http://127.0.0.1:1/v1"]
DATAFLOW = [
    "runner=dataflow",
    "runner.project=my-project",
    "runner.region=us-central1",
    "runner.temp_location=gs://bucket/temp",
    "runner.image=us-docker.pkg.dev/p/cotmill/worker:1",
]


def composed(*overrides: str) -> Settings:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose("synthesize", [settable(item) for item in overrides])
        return to_settings(config, Settings)
