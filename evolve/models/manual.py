"""The model that is a person: each prompt is a file, and so is each answer."""

import stat
from pathlib import Path

from evolve.models import Reply, Request
from evolve.models.retry import Waiting
from evolve.types import Outcome, Usage

_MOST_BYTES = 1 << 20


class Manual:
    """Writes ``0007-prompt.md`` for turn 7 and waits for ``0007-answer.md``.

    An answer counts once it has not changed between two looks; one that is there already is taken at
    once.  Waits as long as the run has time.
    """

    def __init__(self, folder: Path, waiting: Waiting, poll_seconds: float = 1.0) -> None:
        self._folder, self._waiting, self._poll_seconds = folder, waiting, poll_seconds

    async def ask(self, number: int, request: Request) -> Reply:
        """Returns what a person answers to turn ``number``; costs nothing."""
        answer = self._folder / f"{number:04d}-answer.md"
        try:
            if self._put(number, request, answer):
                return _read(answer)
            self._waiting.report(f"turn {number}: read {self._prompt(number)} and put your answer into {answer}")
            async with self._waiting.aside():
                there = await self._stable(answer)
            return _read(answer) if there else _none(Outcome.NO_ANSWER, f"no {answer} before the run's time was up")
        except OSError as error:
            return _none(Outcome.UNAVAILABLE, f"cannot use {error.filename or answer} ({error.strerror})")

    async def close(self) -> None:
        """Nothing is held."""

    def _prompt(self, number: int) -> Path:
        return self._folder / f"{number:04d}-prompt.md"

    def _put(self, number: int, request: Request, answer: Path) -> bool:
        """Writes the prompt; returns whether it is answered already."""
        prompt, text = self._prompt(number), _prompt(request, answer)
        self._folder.mkdir(parents=True, exist_ok=True)
        if _look(prompt) and prompt.read_bytes() != text and answer.exists():
            answer.rename(answer.with_suffix(".old.md"))  # it answers another question
        unfinished = prompt.with_suffix(".new")
        unfinished.unlink(missing_ok=True)  # a link perhaps, for the run's folder may come from anybody
        with unfinished.open("xb") as file:
            file.write(text)
        unfinished.replace(prompt)
        return _look(answer) is not None

    async def _stable(self, answer: Path) -> bool:
        """Waits for an answer that stays as it is; returns whether there is one before the run ends."""
        seen = _look(answer)
        while (left := self._waiting.until()) > 0:
            await self._waiting.sleep(min(self._poll_seconds, left))
            before, seen = seen, _look(answer)
            if seen is not None and seen == before:
                return True
        return False


def _prompt(request: Request, answer: Path) -> bytes:
    head = f"<!-- Question {request.id}. Put the answer into {answer.name}, in one go. -->"
    return f"{head}\n\n{request.system}\n\n---\n\n{request.user}\n".encode("utf-8", "replace")


def _look(answer: Path) -> tuple[int, int] | None:
    """Returns what changes when a file is written; None where there is none yet, or an empty one."""
    try:
        found = answer.stat()
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) and found.st_size else None


def _read(answer: Path) -> Reply:
    with answer.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        return _none(Outcome.TOO_LONG, f"{answer.name} is longer than {_MOST_BYTES >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _none(Outcome.UNAVAILABLE, f"{answer.name} is not UTF-8 (at byte {error.start}); save it as UTF-8")
    return Reply(text, Usage()) if text.strip() else _none(Outcome.EMPTY, f"{answer.name} is blank")


def _none(outcome: Outcome, message: str) -> Reply:
    return Reply("", Usage(), outcome, message)
