# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture was painted and enlarged with, and what of that a server has no longer."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.messages import Welcome


@dataclass(frozen=True)
class MadeWith:
    """model: its name; model_digest, upscaler: as in Finished, empty where they are not known."""

    model: str
    model_digest: str
    upscaler: str

    @property
    def upscaler_name(self) -> str:
        return self.upscaler.split(" ")[0]

    def gone_from(self, welcome: Welcome) -> list[str]:
        """In sentences, before it is painted again."""
        model = next((each for each in welcome.models if each.name == self.model), None)
        gone = []
        if model is None:
            gone.append(f"The model '{self.model}' that painted it is no longer here.")
        elif self.model_digest and model.digest != self.model_digest:
            gone.append(
                f"The model '{self.model}' that painted it is no longer here: another one has its name, and the "
                "picture differs."
            )
        if self.upscaler and self.upscaler_name not in welcome.upscalers:
            gone.append(
                f"The upscaler '{self.upscaler_name}' that enlarged it is no longer here: its detail differs."
            )
        return gone

    def unlike(self, model_digest: str, upscaler: str) -> list[str]:
        """In sentences, by what has painted it again."""
        found = []
        if self.model_digest and model_digest != self.model_digest:
            found.append(f"The model '{self.model}' is another one than then: the picture differs.")
        if self.upscaler and upscaler != self.upscaler:
            now = upscaler.split(" ")[0] or "nothing"
            same = now == self.upscaler_name
            found.append(
                f"It was enlarged by {'another version of ' if same else ''}{now}, then by {self.upscaler_name}: its "
                "detail differs."
            )
        return found
