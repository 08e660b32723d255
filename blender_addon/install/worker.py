# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that installs: makes an environment, has pip fill it, and tries it.

    python -I worker.py SPECIFICATION      a JSON text, see Plan.specification

It runs in the Python that the environment is made with, so it knows the standard library alone. It ends, and leaves
nothing behind, when its standard input is closed: that is how it is cancelled, and what happens when Blender dies.
Lines that begin with @ are JSON for `Installation`; the others are for the log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

RECORD = "installed.json"
CANCELLED, FAILED = 3, 4
PACKAGE = re.compile(
    r"\s*(?P<does>Downloading|Processing) (?:.*[/\\])?(?P<name>\w[\w.]*)-[^/\\]*\.whl(?!\.metadata)"
    r"(?: \((?P<size>\d[^)]*)\))?"
)
LOOK_EVERY_S = 0.25
REMOVE_PATIENCE_S = 15.0
TRY = (
    "import json, torch, spade_core, spade_server.__main__ as server; "
    "device = 'cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else 'cpu'; "
    "print('TRIED ' + json.dumps({'torch': torch.__version__, 'device': device}))"
)


class CancelledError(Exception):
    """Nobody waits for it any more."""


class FailedError(Exception):
    """A step ended badly; the log says how."""


def python_in(environment: str) -> str:
    """The Python of an environment."""
    return os.path.join(environment, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def say(**what: object) -> None:
    print("@" + json.dumps(what), flush=True)


class Worker:
    """One installation. `wanted` is the specification."""

    def __init__(self, wanted: dict) -> None:
        self.wanted = wanted
        self.name = f"{wanted['version']}-{os.getpid()}"
        self.folder = os.path.join(wanted["root"], self.name)
        self.temporary = os.path.join(self.folder, "tmp")
        self._cancelled = threading.Event()
        self._stage = ""
        self._fraction = 0.0

    def run(self) -> int:
        threading.Thread(target=self._wait_for_the_end_of_input, daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._cancelled.set())
        try:
            self._install()
        except CancelledError:
            remove(self.folder)
            return CANCELLED
        except FailedError:
            remove(self.folder)
            return FAILED
        except OSError as problem:
            print(f"{type(problem).__name__}: {problem}", flush=True)
            remove(self.folder)
            return FAILED
        return 0

    def _install(self) -> None:
        os.makedirs(self.temporary)
        self._enter("Making an environment", 0.01)
        self._call([sys.executable, "-I", "-m", "venv", self.folder])
        self._enter("Looking for what the server needs", 0.05)
        self._call(self._pip(), self._read_pip)
        self._enter("Trying it", 0.96)
        found: dict[str, str] = {}

        def read(line: str) -> None:
            if line.startswith("TRIED "):
                found.update(json.loads(line.removeprefix("TRIED ")))

        self._call([python_in(self.folder), "-I", "-c", TRY], read)
        shutil.rmtree(self.temporary, ignore_errors=True)
        if self._cancelled.is_set():
            raise CancelledError
        self._record({"folder": self.name, "version": self.wanted["version"], **found})
        self._enter("Installed", 1.0)

    def _pip(self) -> list[str]:
        wanted = self.wanted
        command = [python_in(self.folder), "-I", "-m", "pip"]
        if wanted["wheels"]:
            command += ["--isolated", "install", "--no-index", "--find-links", wanted["wheels"]]
        else:
            command += ["install"]
            if wanted["constraints"]:
                command += ["--constraint", wanted["constraints"]]
            if wanted["index"]:
                command += ["--extra-index-url", wanted["index"]]
        command += ["--only-binary", ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
        return [*command, "--progress-bar", "off", wanted["requirement"]]

    def _read_pip(self, line: str) -> None:
        if line.startswith("Installing collected"):
            self._enter("Unpacking", self._fraction)
        elif found := PACKAGE.match(line):
            size = f" ({found['size']})" if found["size"] else ""
            self._enter(f"{found['does']} {found['name']}{size}", self._fraction)

    def _call(self, command: list[str], read=lambda line: None) -> None:
        """Run a program to its end; its lines go to the log and to `read`. Raises CancelledError and FailedError."""
        surroundings = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self.temporary)}
        print("$ " + " ".join(command), flush=True)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=surroundings,
        )

        def pass_on() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                read(line)

        reader = threading.Thread(target=pass_on, daemon=True)
        reader.start()
        while process.poll() is None:
            if self._cancelled.wait(LOOK_EVERY_S):
                process.kill()
                process.wait()
                raise CancelledError
            self._measure()
        reader.join()
        if process.returncode != 0:
            raise FailedError

    def _measure(self) -> None:
        """How far it is: by what lies on the disk, as pip says nothing where there is no terminal."""
        if 0.05 <= self._fraction < 0.95:
            share = size_of(self.folder) / max(1, self.wanted["expected_bytes"])
            if share > self._fraction + 0.004:
                self._enter(self._stage, min(0.95, share))

    def _enter(self, stage: str, fraction: float) -> None:
        self._stage, self._fraction = stage, max(fraction, self._fraction)
        say(stage=stage, fraction=round(self._fraction, 3))

    def _record(self, said: dict) -> None:
        """From here on it counts."""
        file = os.path.join(self.wanted["root"], RECORD)
        with open(f"{file}.{os.getpid()}", "w", encoding="utf-8") as written:
            json.dump(said, written)
        os.replace(written.name, file)

    def _wait_for_the_end_of_input(self) -> None:
        # Not by sys.stdin: Python may not end while a thread waits in there.
        while os.read(0, 1):
            pass
        self._cancelled.set()


def size_of(folder: str) -> int:
    """Bytes of the files in a folder and below."""
    total = 0
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                total += size_of(entry.path)
            else:
                total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        pass  # it was there a moment ago
    return total


def remove(folder: str) -> None:
    """Remove a folder; a server that is just ending may hold its files for some seconds."""
    give_up_at = time.monotonic() + REMOVE_PATIENCE_S
    while os.path.exists(folder):
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(folder):
            if time.monotonic() > give_up_at:
                return
            time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    sys.exit(Worker(json.loads(sys.argv[1])).run())
