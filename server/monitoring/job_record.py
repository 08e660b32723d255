# SPDX-License-Identifier: Apache-2.0
"""How one job went: what the log, the statistics and the metrics are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spade_core.contract.messages import Cancelled, Failed, Finished, Submit
from spade_core.contract.submission import Buffer

FINISHED, CANCELLED = "FINISHED", "CANCELLED"
_LONGEST_NAME = 80


@dataclass(frozen=True)
class JobRecord:
    """job, client: the ids that its client knows it by. user: whose key it came with.

    width, height: of the picture wanted. wait_ms: until a worker took it, or it ended. paint_ms, encode_ms, bytes: of
    the picture; 0 where there is none. outcome: FINISHED, CANCELLED, or the code of an error. refused: it was never
    admitted, so that `model` is what its client says. put_off: refused for now, and its client will send it again.
    """

    job: str
    client: str
    user: str
    model: str
    model_digest: str
    width: int
    height: int
    seed: int
    wait_ms: float
    paint_ms: float
    encode_ms: float
    bytes: int
    cached: bool
    outcome: str
    refused: bool = False
    put_off: bool = False

    @classmethod
    def of(
        cls,
        submit: Submit,
        user: str,
        message: Finished | Failed | Cancelled,
        buffers: Sequence[Buffer] = (),
        waited_s: float = 0.0,
        *,
        refused: bool = False,
    ) -> JobRecord:
        """The record of a job, by its last word."""
        finished = message if isinstance(message, Finished) else None
        outcome = message.code if isinstance(message, Failed) else CANCELLED
        height, width = submit.output.size or submit.shape
        return cls(
            job=submit.id,
            client=submit.client,
            user=user,
            model=submit.model[:_LONGEST_NAME],
            model_digest=finished.model_digest if finished else "",
            width=width,
            height=height,
            seed=submit.seed,
            wait_ms=round(waited_s * 1e3, 2),
            paint_ms=finished.timings.run_ms if finished else 0.0,
            encode_ms=finished.timings.encode_ms if finished else 0.0,
            bytes=sum(len(buffer) for buffer in buffers),
            cached=finished is not None and finished.cached,
            outcome=FINISHED if finished else outcome,
            refused=refused,
            put_off=refused and isinstance(message, Failed) and message.retryable,
        )
