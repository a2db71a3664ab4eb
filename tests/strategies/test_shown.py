"""The strategies that the texts show as examples."""

import re
from pathlib import Path

import pytest

from evolve.archives.elite import Elite
from evolve.archives.islands import undescribed
from evolve.strategies import DEFAULT, HELPFUL
from evolve.strategies.ablations import WITH, WITHOUT, mechanisms
from evolve.strategies.loading import load

ROOT = Path(__file__).parents[2]
OWN = (ROOT / "evolve" / "strategies" / "README.md").read_text(encoding="utf-8")
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## How it searches")[2].partition("\n## ")[0]


@pytest.mark.parametrize("text", [SECTION, OWN], ids=["README.md", "strategies/README.md"])
def test_the_strategy_that_is_shown_can_be_searched_with(text, tmp_path):
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "small.py").write_text(block, encoding="utf-8")
    strategy = load(f"{tmp_path / 'small.py'}:Small")
    assert strategy.name == "small"
    assert isinstance(strategy.archive(undescribed), Elite)
    assert [arm.weight for arm in strategy.arms()] == [arm.weight for arm in DEFAULT.arms()]


def test_every_mechanism_that_can_be_left_out_is_told_of_and_no_other():
    assert re.findall(r"^- \*\*`([a-z]+)`\*\*", OWN, re.MULTILINE) != []
    assert sorted(re.findall(r"^- \*\*`([a-z]+)`\*\*", OWN, re.MULTILINE)) == sorted(mechanisms())


def test_what_the_default_does_without_is_said_to_be_so():
    without = re.findall(r"^- \*\*`([a-z]+)`\*\*, not in the default", OWN, re.MULTILINE)
    assert sorted(without) == sorted(set(mechanisms()) - HELPFUL)


@pytest.mark.parametrize("text", [SECTION, OWN], ids=["README.md", "strategies/README.md"])
def test_every_strategy_in_a_command_that_is_shown_exists(text):
    named = [name for names in re.findall(r"--strategies (\S+)", text) for name in names.split(",")]
    assert named
    for name in named:
        if not name.endswith(":Small"):
            assert load(name).name.startswith((WITHOUT, WITH, name))
