# SPDX-License-Identifier: Apache-2.0
"""`spade checkpoint export-hub` and `download`: models to and from the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class ExportHub:
    """Write a model as the folder of a Hugging Face repository: model card, configuration, weights. Sends nothing."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME_OR_FILE")]
    """a model by name, a .safetensors checkpoint, or a training's folder"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """the folder for README.md, config.json, label_set.toml and model.safetensors"""
    repo: Annotated[str | None, tyro.conf.arg(metavar="ORG/NAME")] = None
    """under which name it will be found, for the card"""
    license: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """the licence of the weights as the hub names it (apache-2.0, cc-by-4.0); left out: the terms in the checkpoint"""

    def run(self) -> int:
        from ..checkpoint.hub import is_hub_name
        from ..checkpoint.hub_export import export_hub
        from ..checkpoint.model_card import PLACEHOLDER, CardRequest
        from ..checkpoint.sources import model_file
        from ..contract.errors import BadOptionError

        if self.repo is not None and not is_hub_name(self.repo):
            raise BadOptionError(f"'{self.repo}' is no name on the Hugging Face hub.", "Give it as ORG/NAME.")
        file = model_file(self.file)
        name = self.repo.partition("/")[2] if self.repo else file.stem
        for path in export_hub(file, self.output, CardRequest(name, self.repo, self.license)):
            print(path)
        print(f"Read the card, then: hf upload {self.repo or PLACEHOLDER} {self.output}")
        return 0


@dataclass(frozen=True)
class Download:
    """Fetch a model from the Hugging Face hub into the cache of this machine; --model ORG/NAME then finds it there."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ORG/NAME")]
    """the repository"""
    revision: str | None = None
    """a branch, tag or commit of it, if not what is newest"""

    def run(self) -> int:
        from ..checkpoint.file import load_checkpoint
        from ..checkpoint.hub import download

        path = download(self.name, self.revision)
        load_checkpoint(path)  # what is no model is said now
        print(path)
        print(f"Use it: --model {self.name}")
        return 0
