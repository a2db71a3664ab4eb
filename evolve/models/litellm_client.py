"""Models by their LiteLLM names, such as ``anthropic/claude-sonnet-4-5``: some hundred providers behind one call."""

import asyncio
import logging
import os
import re
import time
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from evolve.models import Request
from evolve.models.answer import Answer
from evolve.models.attempt import Attempt, nothing
from evolve.models.dialect import Dialect
from evolve.models.failures import OF_A_GATEWAY, Server, failed
from evolve.models.keys import own_key
from evolve.models.spec import ModelSpec, Price
from evolve.types import EvolveError, Outcome

_OURS = re.compile(r"^(litellm\.)?\w+(Error|Timeout): (\w+(Error|Exception)( -|:) )*")
_ADVICE = re.compile(r"[.\s]*Handle with `litellm\.\w+`\.?")
_NO_KEY = re.compile(r"missing.{0,40}(credentials|api.?key)", re.IGNORECASE)
_UNCONNECTED = ("ConnectError", "ConnectTimeout", "ClientConnectorError")


class LiteLlmClient:
    """Calls one model through LiteLLM.

    Answers come whole, not in pieces: LiteLLM takes 0.4 ms of a core for each piece, 120 ms for an
    answer in 300, but 4 ms for a whole one.  All that is lost is the text of an answer that breaks off.
    """

    def __init__(
        self,
        spec: ModelSpec,
        price: Price | None,
        timeout_seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._litellm = library()
        self._key = own_key(spec)
        self._provider = provider(spec.name)
        variables = [spec.key] if spec.key else missing_keys(spec.name)
        secrets = (self._key,) if self._key else ()
        self._server = Server(spec.name, "", " or ".join(variables), secrets)
        self._price, self._timeout_seconds, self._wall = price, timeout_seconds, wall
        self._dialect = Dialect(stream_options=False)

    async def once(self, request: Request, began: Callable[[], None]) -> Attempt:
        """Returns what a call came to; what the model does not take is left out, from then on."""
        while True:
            dialect = self._dialect
            attempt = await self._limited(dialect, request, began)
            adapted = dialect.without(attempt.reply.message) if attempt.reply.outcome is Outcome.REJECTED else None
            if adapted is None:
                return attempt
            self._dialect = adapted

    async def close(self) -> None:
        """Lets go of connections."""
        from litellm.llms.custom_httpx import async_client_cleanup

        await async_client_cleanup.close_litellm_async_clients()  # type: ignore[no-untyped-call]
        self._litellm.in_memory_llm_clients_cache.flush_cache()  # a closed client must not be used by the next

    async def _limited(self, dialect: Dialect, request: Request, began: Callable[[], None]) -> Attempt:
        answer = Answer(request, self._price, self._server)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._litellm.acompletion(**self._question(dialect, request))
            began()
            return _read(response.model_dump(), answer)
        except TimeoutError:
            return answer.ended(Outcome.NO_ANSWER, f"no whole answer within {self._timeout_seconds:g} s")
        except Exception as error:  # noqa: BLE001  # LiteLLM raises what each provider's own code does
            return self._failed(error, answer)

    def _question(self, dialect: Dialect, request: Request) -> dict[str, Any]:
        system: Any = request.system
        if self._provider == "anthropic":  # others find out themselves what they have seen before
            system = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        return {
            "model": request.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": request.user}],
            "num_retries": 0,
            "max_retries": 0,
            "timeout": self._timeout_seconds + 5,  # ours comes first, and cannot be mistaken for another's
            "drop_params": True,
            **({"api_key": self._key} if self._key else {}),
            **dialect.settings(request),
        }

    def _failed(self, error: Exception, answer: Answer) -> Attempt:
        text = _ADVICE.sub("", _OURS.sub("", str(error)))
        headers = getattr(error, "litellm_response_headers", None)
        status = getattr(error, "status_code", None)
        causes = _causes(error)
        if headers is not None and status in OF_A_GATEWAY:
            return answer.ended(Outcome.NO_ANSWER, f"{status}: a gateway did not wait for the answer")
        if headers is not None and isinstance(status, int):  # the provider answered
            return failed(self._server, status, text, dict(headers), self._wall)
        if any(name in _UNCONNECTED for name in causes):
            return nothing(Outcome.UNAVAILABLE, self._server.message(f"no connection ({text})"), again=True)
        if _NO_KEY.search(text):
            return failed(self._server, 401, text.partition("Traceback")[0], {}, self._wall)
        if status in (400, 401, 404):  # found out before anything was sent
            return failed(self._server, status, text, {}, self._wall)
        if "Timeout" in causes:
            return answer.ended(Outcome.NO_ANSWER, text)
        if "ReadError" in causes or "RemoteProtocolError" in causes:  # it may have worked on the answer
            return answer.ended(Outcome.CUT_OFF, f"the connection broke before the answer was whole ({text})")
        return answer.ended(Outcome.UNAVAILABLE, f"{type(error).__name__}: {text}")


def library() -> ModuleType:
    """Returns LiteLLM, which from then on neither prints nor asks the network for anything but answers.

    Raises:
        EvolveError: it is not installed.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    _keep_quiet()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import litellm
    except ImportError:
        raise EvolveError(
            "models by LiteLLM's names need LiteLLM; pip install -e '.[llm]' in evolve's folder"
        ) from None
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    litellm.disable_aiohttp_transport = True  # its sessions outlive the loop; httpx is what the SDKs use anyway
    _keep_quiet()  # again: importing it sets its own levels
    return litellm


def _keep_quiet() -> None:
    warnings.filterwarnings("ignore", module=r"(litellm|pydantic)\.")  # it builds types as late as in the first call
    # It makes the coroutine of a call in another thread, and drops it there when the call is cancelled at that moment.
    warnings.filterwarnings("ignore", r"coroutine '[^']*completion[^']*' was never awaited", RuntimeWarning)
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def provider(name: str) -> str:
    """Returns the provider that a name belongs to; empty where LiteLLM knows none."""
    litellm = library()
    try:
        return str(litellm.get_llm_provider(name)[1])
    except litellm.exceptions.BadRequestError:
        return ""


def missing_keys(name: str) -> list[str]:
    """Returns the variables for keys that a model needs and the environment lacks; one of them may be enough."""
    found = library().validate_environment(name)
    missing = [] if found["keys_in_environment"] else [str(variable) for variable in found["missing_keys"]]
    return [variable for variable in missing if variable.endswith("API_KEY")]


def _read(content: dict[str, Any], answer: Answer) -> Attempt:
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices:
        return answer.ended(Outcome.UNAVAILABLE, "expected an answer, got a response without any")
    answer.add(choices[0], "message")
    answer.count(content.get("usage"))
    return answer.whole()


def _causes(error: BaseException | None) -> list[str]:
    """Returns the names of an error and of those behind it."""
    names: list[str] = []
    while error is not None and len(names) < 20:
        names.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return names
