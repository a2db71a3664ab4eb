"""What an option's value may be; each function reads one or says what was expected."""

import argparse
import difflib
import math

from evolve.types import Outcome, Verdict


def positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def width(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 5 else 0
    if not 40 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"expected 40 to 1000 columns, got {text!r}")
    return number


def verdict(text: str) -> str:
    known = [*Verdict, *Outcome]
    if text.upper() not in known:
        close = difflib.get_close_matches(text.upper()[:40], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"no verdict or outcome {text!r}; {hint}")
    return text.upper()


def amount(text: str) -> float:
    amount = number(text)
    if not 0 < amount < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return amount


def share(text: str) -> float:
    share = number(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r}")
    return share


def temperature(text: str) -> float:
    temperature = number(text)
    if not 0 <= temperature <= 2:
        raise argparse.ArgumentTypeError(f"expected a temperature from 0 to 2, got {text!r}")
    return temperature


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which lies in no range


def secret(text: str) -> str:
    if not (text and text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError(f"expected letters and digits, as `evolve verify` reveals them, got {text!r}")
    return text


def no_split(text: str) -> str:
    if text in ("train", "validation", "test") or text.startswith("test:"):
        raise argparse.ArgumentTypeError(
            f"{text} is a split, no case set; of `evolve score` --split takes train or validation, and test is sealed"
        )
    return text


def open_split(text: str) -> str:
    if text == "test":
        raise argparse.ArgumentTypeError("the test split is sealed: only `evolve verify` uses it")
    if text not in ("train", "validation"):
        raise argparse.ArgumentTypeError(f"expected train or validation, got {text!r}")
    return text
