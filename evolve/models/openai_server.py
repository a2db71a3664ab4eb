"""OpenAI-compatible servers: vLLM, SGLang, llama.cpp, Ollama, gateways, and OpenAI itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from evolve.models import Request
from evolve.models.answer import Answer
from evolve.models.attempt import Attempt, nothing
from evolve.models.dialect import Dialect
from evolve.models.failures import OF_A_GATEWAY, Server, failed
from evolve.models.keys import key_of
from evolve.models.spec import ModelSpec, Price
from evolve.models.sse import Reader
from evolve.types import EvolveError, Outcome

if TYPE_CHECKING:
    import httpx
    import openai

_CONNECT_SECONDS = 20.0
_MOST_BYTES_OF_AN_ERROR = 1 << 16


class OpenAiServer:
    """Calls one model at a base URL."""

    def __init__(
        self,
        spec: ModelSpec,
        price: Price | None,
        timeout_seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._key = key_of(spec)
        self._server = Server(spec.name, spec.base_url, spec.key or "OPENAI_API_KEY", (self._key,))
        self._client = _client(spec.base_url, self._key, timeout_seconds)
        self._create = self._client.chat.completions.with_streaming_response.create  # imports the half of the SDK
        self._price, self._timeout_seconds, self._wall = price, timeout_seconds, wall
        self._dialect = Dialect()

    async def once(self, request: Request, began: Callable[[], None]) -> Attempt:
        """Returns what a call came to; what the server does not take is left out, from then on."""
        while True:
            dialect = self._dialect
            attempt = await self._limited(dialect, request, began)
            if attempt.reply.outcome is not Outcome.REJECTED:
                return attempt
            adapted = dialect.without(attempt.reply.message)
            if adapted is None:
                return attempt
            self._dialect = adapted

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    async def _limited(self, dialect: Dialect, request: Request, began: Callable[[], None]) -> Attempt:
        answer = Answer(request, self._price, self._server)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._called(dialect, request, answer, began)
        except TimeoutError:
            return answer.ended(Outcome.NO_ANSWER, f"no whole answer within {self._timeout_seconds:g} s")
        except Exception as error:  # noqa: BLE001  # a server must not end the run, whatever it does to the libraries
            return answer.ended(Outcome.UNAVAILABLE, f"{type(error).__name__}: {error}")

    async def _called(self, dialect: Dialect, request: Request, answer: Answer, began: Callable[[], None]) -> Attempt:
        import httpx
        import openai

        settings = dialect.settings(request)
        if dialect.stream_options:
            settings["stream_options"] = {"include_usage": True}
        try:
            async with self._create(
                model=request.model, messages=_messages(request), stream=True, **settings
            ) as response:
                began()
                return await self._read(response.http_response, request, answer)
        except openai.APIStatusError as error:
            if error.status_code in OF_A_GATEWAY:
                return answer.ended(Outcome.NO_ANSWER, f"{error.status_code}: a gateway did not wait for the answer")
            return failed(self._server, error.status_code, error.response.text, error.response.headers, self._wall)
        except openai.APIConnectionError as error:
            return self._unconnected(error.__cause__ or error)
        except httpx.HTTPError as error:  # after the answer began
            return answer.ended(Outcome.CUT_OFF, f"the connection broke in the middle of the answer ({_name(error)})")

    async def _read(self, response: "httpx.Response", request: Request, answer: Answer) -> Attempt:
        reader = Reader(answer, request.max_tokens)
        async for data in response.aiter_bytes():
            reader.feed(data)
            if reader.enough:
                break
        strange = reader.end()
        if reader.endless:
            return answer.ended(Outcome.TOO_LONG, "endless answer")
        if strange:
            return self._no_answer(strange, answer)
        if reader.error is not None:
            return self._broken(reader.error, answer)
        return answer.whole()

    def _no_answer(self, body: str, answer: Answer) -> Attempt:
        said = self._server.message(body) or "no text"
        message = f"expected an answer in JSON, got {said}; check --base-url, which often ends in /v1"
        if said.startswith("an HTML page"):  # no model has worked on that
            return nothing(Outcome.UNAVAILABLE, message)
        return answer.ended(Outcome.UNAVAILABLE, message)

    def _broken(self, content: Any, answer: Answer) -> Attempt:
        """Returns what an error means that came with status 200, as gateways send it."""
        error = content["error"]
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
        code = error.get("code") if isinstance(error, dict) else None
        if answer.begun:
            return answer.ended(Outcome.CUT_OFF, f"the provider broke the answer off: {text}")
        if isinstance(code, int) and 400 <= code < 600:
            return failed(self._server, code, text, {}, self._wall)
        return answer.ended(Outcome.UNAVAILABLE, f"the provider failed: {text}")

    def _unconnected(self, cause: BaseException) -> Attempt:
        # Refused, unknown, or reset before a word of answer: asking again costs nothing.  A certificate stays wrong.
        again = "CERTIFICATE_VERIFY" not in str(cause)
        text = f"no connection to {self._server.base_url} ({_name(cause)}: {cause})"
        return nothing(Outcome.UNAVAILABLE, self._server.message(text), again)


def _client(base_url: str, key: str, timeout_seconds: float) -> "openai.AsyncOpenAI":
    try:
        import httpx
        import openai
    except ImportError:
        raise EvolveError(
            "models at a base URL need the OpenAI SDK; pip install -e '.[llm]' in evolve's folder"
        ) from None
    http = httpx.AsyncClient(
        # The call as a whole has its own limit, and the pool its own number of calls.
        timeout=httpx.Timeout(None, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        headers={"Accept-Encoding": "identity"},  # packed, a few bytes could unfold to any length
        event_hooks={"response": [_shorten]},
    )
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, http_client=http)


async def _shorten(response: "httpx.Response") -> None:
    """Bounds the body of an error, which the SDK reads whole."""
    import httpx

    if not response.is_success:
        response.headers.pop("content-encoding", None)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _short(response.stream)


def _short(stream: "httpx.AsyncByteStream") -> "httpx.AsyncByteStream":
    import httpx

    class Short(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = _MOST_BYTES_OF_AN_ERROR
            async for data in stream:
                yield data[:left]
                left -= len(data)
                if left <= 0:
                    return

        async def aclose(self) -> None:
            await stream.aclose()

    return Short()


def _messages(request: Request) -> Any:
    return [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]


def _name(error: BaseException) -> str:
    return type(error).__name__
