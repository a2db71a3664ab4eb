"""Options of the commands that search."""

import argparse
from pathlib import Path

from evolve.options import common, kinds


def run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    run.add_argument(
        "--cases", type=kinds.no_split, metavar="NAME_OR_FILE", help="search on these cases instead of the train split"
    )
    common.objective(run)
    run.add_argument(
        "--strategy",
        default="default",
        metavar="NAME",
        help="how it searches: default, best-of-n, sequential, random, default-without-X for a mechanism X, or "
        "FILE.py:CLASS for one of your own, whose file is imported",
    )
    run.add_argument("--seed", type=int, metavar="S", help="seed of the search (default 0)")
    common.workers(run)
    common.unsafe(run)
    run.add_argument(
        "--fresh", action="store_true", help="judge every policy anew, also what your other runs have judged"
    )
    run.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: a new one in runs/)")
    _add_budget(
        run.add_argument_group("budget", "What a run may use over all sittings; the first that is spent ends it.")
    )
    _add_models(run.add_argument_group("models", "Who writes the policies; without --model the embedded proposers do."))


def _add_budget(budget: argparse._ArgumentGroup) -> None:
    budget.add_argument(
        "--evaluations",
        type=kinds.positive,
        metavar="N",
        help="policies judged, baselines included (without any budget 1000, with a model 100)",
    )
    budget.add_argument("--minutes", type=kinds.amount, metavar="M", help="minutes of search")
    budget.add_argument("--dollars", type=kinds.amount, metavar="D", help="what models may cost")
    budget.add_argument("--tokens", type=kinds.positive, metavar="N", help="tokens that models may read and write")
    budget.add_argument(
        "--target", type=kinds.amount, metavar="SCORE", help="stop when a policy has this score on train"
    )


def _add_models(models: argparse._ArgumentGroup) -> None:
    models.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="M",
        help="a LiteLLM name such as anthropic/NAME, gemini/NAME or ollama/NAME; with --base-url a name that the "
        "server knows; `manual`: prompts and answers are files. More than one makes a pool; M may go on with "
        ",weight=W,role=cheap|strong,base-url=URL,price=IN/OUT,key=VARIABLE",
    )
    models.add_argument(
        "--base-url", metavar="URL", help="an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"
    )
    models.add_argument(
        "--price", metavar="IN/OUT", help="dollars per million tokens, where LiteLLM does not know them"
    )
    models.add_argument(
        "--embedded",
        type=kinds.share,
        metavar="SHARE",
        help="share of the embedded proposers (default 0) while nothing is known; then who leads to more for its cost",
    )
    models.add_argument("--concurrency", type=kinds.positive, metavar="N", help="calls under way at a time (default 8)")
    models.add_argument(
        "--timeout", type=kinds.amount, metavar="SECONDS", help="longest wait for an answer (default 300)"
    )
    models.add_argument("--answer-tokens", type=kinds.positive, metavar="N", help="longest answer (default 16000)")
    _add_templates(models)
    models.add_argument("--temperature", type=kinds.temperature, metavar="T", help="default: the provider's")
    models.add_argument("--record", type=Path, metavar="FILE", help="keep every answer in a cassette")
    models.add_argument("--replay", type=Path, metavar="FILE", help="take the answers from a cassette and ask nobody")


def _add_templates(models: "argparse._ActionsContainer") -> None:
    models.add_argument("--prompt-tokens", type=kinds.positive, metavar="N", help="longest question (default 12000)")
    models.add_argument("--prompts", type=Path, metavar="DIR", help="templates of your own; see `evolve prompt`")


def prompt(prompt: argparse.ArgumentParser) -> None:
    prompt.add_argument(
        "problem", metavar="PROBLEM", help="a name from `evolve problems`, a .py file, or a folder with a problem.py"
    )
    prompt.add_argument(
        "--operator",
        choices=("edit", "rewrite", "combine", "repair", "simplify", "new_direction", "notes"),
        default="edit",
        help="what is asked for (default: edit); new_direction and notes come where nothing better is found for long",
    )
    prompt.add_argument(
        "--cases", type=kinds.no_split, metavar="NAME_OR_FILE", help="as in a search on these cases instead of train"
    )
    common.objective(prompt)
    _add_templates(prompt)
    prompt.add_argument("--write", type=Path, metavar="DIR", help="write the templates there, to change them")
