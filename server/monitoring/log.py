# SPDX-License-Identifier: Apache-2.0
"""What a server says on its console: sentences for people, and one line for each job that has ended."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from .job_record import FINISHED, JobRecord

FORMATS = TEXT, JSON = "text", "json"


class ServerLog:
    """Writes to stderr. As JSON every line is one object: {"time", "event": "message" or "job", ...}."""

    def __init__(self, form: str):
        """form: one of FORMATS."""
        self._is_json = form == JSON

    def say(self, sentence: str) -> None:
        """Something that who runs the server should know."""
        self._print(_json_line({"event": "message", "message": sentence}) if self._is_json else sentence)

    def job(self, record: JobRecord) -> None:
        """A job has ended."""
        if self._is_json:
            table = vars(record).copy()
            del table["refused"], table["put_off"]
            self._print(_json_line({"event": "job", **table}))
        else:
            self._print(_sentence(record))

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr)


class MessageLines(io.TextIOBase):
    """A stream of which each line of text becomes a message in JSON: for what a worker and its libraries print."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            self._stream.write(_json_line({"event": "message", "message": line}) + "\n")
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()


def _json_line(table: dict[str, Any]) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, **table})


def _sentence(record: JobRecord) -> str:
    model = ascii(record.model)[1:-1]  # a client's word, which must not write lines of its own
    how = f"waited {record.wait_ms:.0f} ms"
    if record.cached:
        how = f"from the cache, {record.bytes} bytes"
    elif record.outcome == FINISHED:
        how += f", painted {record.paint_ms:.0f} ms, encoded {record.encode_ms:.0f} ms, {record.bytes} bytes"
    digest = f" {record.model_digest[:12]}" if record.model_digest else ""
    return (
        f"Job {record.job} (client {record.client}, user {record.user}): {record.outcome}; "
        f"{model}{digest}, {record.width}x{record.height}, seed {record.seed}; {how}."
    )
