"""Says in one line why a configuration was refused, by Triton, by the assembler, or by the GPU."""

from typing import Any

MOST = 300
"""Characters of a reason."""


def in_words(error: BaseException) -> str:
    """Returns the reason in an exception that came of compiling or launching a kernel.

    By the names of its classes, which have been the same since Triton 3.0: this must not import Triton to say that
    it is something else.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if "OutOfResources" in names:
        return _out_of_resources(error)
    if "OutOfMemoryError" in names:
        return f"its workspace does not fit into the GPU's memory ({_line(error)})"
    if "PTXASError" in names:
        return f"the assembler refuses it: {_telling(error, 'error', 'fatal')}"
    if "CompilationError" in names:
        return f"does not compile: {_line(getattr(error, 'error_message', None) or error, last=True)}"
    return f"does not compile or launch: {type(error).__name__}: {_line(error)}"


def _out_of_resources(error: Any) -> str:
    unit = "bytes of shared memory" if error.name == "shared memory" else error.name
    return f"needs {error.required:,} {unit} of {error.limit:,}"


def _telling(error: BaseException, *words: str) -> str:
    """Returns the first line after the heading that has any of the words: logs of compilers begin with other things."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    found = [line for line in lines[1:] if any(word in line.lower() for word in words)]
    return (found or lines or [type(error).__name__])[0][:MOST]


def _line(error: object, *, last: bool = False) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1 if last else 0] if lines else "it does not say why")[:MOST]
