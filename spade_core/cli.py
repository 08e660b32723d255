# SPDX-License-Identifier: Apache-2.0
"""The command `spade`: generate, labels, checkpoint, model, doctor.

Each command is a frozen dataclass in `commands/`: its fields are the options, `run()` does the work and
returns the code. What a person can put right is a SpadeError: one sentence and a fix on stderr, code 2.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated

import tyro

from .command_line import parsed_command
from .commands.checkpoint import Checkpoint
from .commands.dataset import Dataset
from .commands.doctor import Doctor
from .commands.evaluate import Evaluate
from .commands.generate import Generate
from .commands.labels import Labels
from .commands.model import Model
from .commands.review import ReviewTraining
from .commands.segmenter import TrainSegmenter
from .commands.study import Study, StudyResults
from .commands.train import Train
from .contract.console import print_error
from .contract.version import VERSION

# None of these imports anything heavy before run(): `spade labels list` must not wait for torch.
from .runtime import is_out_of_memory, keep_freed_memory, share_cores

Command = (
    Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Labels, tyro.conf.subcommand("labels")]
    | Annotated[Checkpoint, tyro.conf.subcommand("checkpoint")]
    | Annotated[Model, tyro.conf.subcommand("model")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[ReviewTraining, tyro.conf.subcommand("review")]
    | Annotated[TrainSegmenter, tyro.conf.subcommand("train-segmenter")]
    | Annotated[Study, tyro.conf.subcommand("study")]
    | Annotated[StudyResults, tyro.conf.subcommand("study-results")]
    | Annotated[Dataset, tyro.conf.subcommand("dataset")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
)

BROKEN, USER_ERROR, INTERRUPTED = 1, 2, 130
DEBUG = "SPADE_DEBUG"  # set it to see the traceback of a fault of the program itself


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for bad input, 1 for a fault of the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old console must not turn a name into a crash
    from .contract.errors import SpadeError

    arguments = sys.argv[1:] if arguments is None else arguments
    # A closed stream (`spade ... >&-`) is None; what is said there is said to nobody.
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))
    share_cores()
    keep_freed_memory()
    try:
        code = _run(arguments)
        sys.stdout.flush()  # here, where it is known what to do if nobody takes it
        return code
    except SpadeError as error:
        return _failed(error.message, error.fix, USER_ERROR)
    except KeyboardInterrupt:
        return _failed("Stopped.", "", INTERRUPTED)
    except BrokenPipeError:  # `spade labels show ade20k | head`
        _say_no_more()
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO) or error.filename is not None:
            return _broken(error)
        _say_no_more()
        said = f"What was to be said cannot be written: {error.strerror}."
        return _failed(said, "Send the command's output elsewhere.", USER_ERROR)
    except Exception as error:
        return _broken(error)


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"spade {VERSION}")
        return 0
    if arguments[:1] == ["train"]:
        return Train(tuple(arguments[1:])).run()
    return parsed(arguments).run()


def parsed(arguments: list[str]) -> Command:
    """The command of these words, all but `train`, which reads its own. Leaves with 2 where they make none."""
    return parsed_command(
        Command,  # type: ignore[arg-type]
        arguments,
        prog="spade",
        description="Paint pictures from label maps, and look after label sets and checkpoints.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def _say_no_more() -> None:
    """Nobody takes what is printed: Python would complain of it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _broken(error: Exception) -> int:
    """Too little memory, a fault of the installation, or of the program itself."""
    if os.environ.get(DEBUG):
        raise error
    if is_out_of_memory(error):
        return _failed(
            "There is too little memory for this.",
            "Close other programs, or use smaller pictures.",
            USER_ERROR,
        )
    if isinstance(error, (ImportError, OSError)) and (found := _not_installed(error)):
        return _failed(*found, USER_ERROR)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    fix = f"This should not happen: run it again with {DEBUG}=1 and report what it prints."
    return _failed(f"Something broke inside spade ({what}).", fix, BROKEN)


def _not_installed(error: ImportError | OSError) -> tuple[str, str] | None:
    """What is said, and the fix, where a library is missing or does not load; None where it is something else."""
    from .doctor import AGAIN, check_torch
    from .extras import extra_of, install
    from .verdicts import FAIL

    if "failed to map segment" in str(error):  # the system says both in the same words
        return (
            "There is too little memory to load a library, or its folder may hold no programs.",
            "Close other programs; install where programs may be run, which a folder mounted noexec refuses.",
        )
    found = check_torch()
    if found.verdict == FAIL:
        return f"{found.said[0].upper()}{found.said[1:]}.", found.fix
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    if module is None or module.startswith(("spade_core", "spade_server")):
        return None
    extra = extra_of(module)
    return f"The library {module} is not installed.", install(extra) if extra else AGAIN


def _failed(message: str, fix: str, code: int) -> int:
    print_error(message, fix)
    return code


if __name__ == "__main__":
    sys.exit(main())
