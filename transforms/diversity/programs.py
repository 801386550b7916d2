"""Programs that compute the same are few: near copies one, of a structure a stated number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Outcome, Reason
from transforms.diversity.near import NearDuplicates
from transforms.diversity.shingles import code_tokens, shingles
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.programs import fingerprint
from transforms.records import Execution
from transforms.settings import DedupSettings


@dataclass
class DeduplicatePrograms(beam.PTransform):
    """PCollection[Execution] -> Outcome of Execution, before anything more is paid for them.

    Programs of equal tokens (layout and comments aside) are one; of those nearly equal, and of
    those with one structure (`dedup.max_per_fingerprint`), the shortest stay, then those with the
    smallest id.
    """

    dedup: DedupSettings

    stage: ClassVar[str] = "structure"
    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    draws: ClassVar[bool] = False

    def expand(self, executions: PCollection) -> Outcome:
        ngram = self.dedup.code_ngram
        equal = executions | "Find equal" >> LimitPerKey(
            key=lambda execution: content_id("tokens", code_tokens(execution.code)),
            order=lambda execution: len(execution.code),
            limit=1,
            reason=Reason.DUPLICATE_PROGRAM,
        )
        unequal = executions | "Drop equal" >> DropLosers(self.stage, equal)
        near = unequal.kept | "Find near" >> NearDuplicates(
            shingles=lambda execution: shingles(code_tokens(execution.code), ngram),
            order=lambda execution: len(execution.code),
            threshold=self.dedup.code_threshold,
            dedup=self.dedup,
        )
        unlike = unequal.kept | "Drop near" >> DropLosers(self.stage, near)
        same = unlike.kept | "Find same structure" >> LimitPerKey(
            key=lambda execution: fingerprint(execution.code),
            order=lambda execution: len(execution.code),
            limit=self.dedup.max_per_fingerprint,
            reason=Reason.FINGERPRINT_FULL,
        )
        different = unlike.kept | "Drop same structure" >> DropLosers(self.stage, same)
        return Outcome(
            different.kept,
            (unequal.rejected, unlike.rejected, different.rejected) | "Rejected" >> beam.Flatten(),
        )
