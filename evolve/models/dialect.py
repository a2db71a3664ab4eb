"""Which settings a server takes: learned from its refusals, once."""

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from evolve.models import Request

_REFUSES = re.compile(
    r"unsupported|n[o']t (support|permitted|allowed)|unknown|unrecogni[sz]ed|unexpected|extra|only|instead",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a request to this model may say."""

    stream_options: bool = True
    max_tokens: str = "max_tokens"
    temperature: bool = True

    def settings(self, request: Request) -> dict[str, Any]:
        """Returns the settings of a request, as far as the model takes them."""
        said: dict[str, Any] = {self.max_tokens: request.max_tokens}
        if request.temperature is not None and self.temperature:
            said["temperature"] = request.temperature
        return said

    def without(self, refusal: str) -> Self | None:
        """Returns the dialect that does without what a refusal is about; None where there is nothing to leave out."""
        if not _REFUSES.search(refusal):
            return None
        if self.stream_options and re.search("stream_options|include_usage", refusal):
            return replace(self, stream_options=False)
        if self.max_tokens == "max_tokens" and "max_tokens" in refusal:
            return replace(self, max_tokens="max_completion_tokens")
        if self.temperature and "temperature" in refusal:
            return replace(self, temperature=False)
        return None
