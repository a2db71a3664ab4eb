"""What can be known of a model before a run starts, without asking it."""

import difflib

from evolve.models import keys, litellm_client, prices
from evolve.models.spec import MANUAL, ModelSpec
from evolve.types import EvolveError


def check(spec: ModelSpec) -> None:
    """Makes sure that a model can be asked.  Cheap, and without the network.

    Raises:
        EvolveError: a package or a key is missing, or nobody knows whose model it is.
    """
    if spec.manual:
        return
    if spec.base_url:
        keys.key_of(spec)
        return
    if not litellm_client.provider(spec.name):
        raise EvolveError(
            f"no provider is known for the model {spec.name!r}; {_nearest(spec.name)}names are LiteLLM's, such as "
            "anthropic/claude-sonnet-4-5 or openai/gpt-4o; for a server of your own give base-url="
        )
    missing = [] if keys.own_key(spec) else litellm_client.missing_keys(spec.name)
    if missing:
        raise EvolveError(f"model {spec.name}: set {' or '.join(missing)} in the environment or in .env")


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, [MANUAL, *prices.names()], 3, 0.7)
    return f"did you mean {' or '.join(close)}? " if close else ""
