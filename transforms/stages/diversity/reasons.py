"""Why a record is taken for a copy of another."""

from __future__ import annotations

from enum import StrEnum


class Sameness(StrEnum):
    """Why a record adds nothing to those that stay."""

    DUPLICATE_PROGRAM = "duplicate_program"
    FINGERPRINT_FULL = "fingerprint_full"
    DUPLICATE_INSTRUCTION = "duplicate_instruction"
    NEAR_DUPLICATE = "near_duplicate"
    COPY_OF_SEED = "copy_of_seed"
    CONTAMINATED = "contaminated"
    SEMANTIC_DUPLICATE = "semantic_duplicate"
