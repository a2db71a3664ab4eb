"""Strategies by name, and those of a user's own."""

import pytest

from evolve.archives.plain import Latest, Starts
from evolve.bandit import Bandit, Fixed
from evolve.strategies import DEFAULT
from evolve.strategies.ablations import mechanisms
from evolve.strategies.loading import blaming, file_of, load
from evolve.types import EvolveError

HEAD = "from evolve.strategies import Strategy\n\n\n"
MINE = HEAD + "class Mine(Strategy):\n    name = 'mine'\n"


ARMS = """
from evolve.proposers.tune import Tune
from evolve.search import Arm

class Named(Tune):
    def __init__(self, name):
        super().__init__()
        self.name = name

class Mine(Strategy):
    name = 'm'

    def arms(self):
        return [{}]
"""


def own(folder, source=MINE, kind="Mine"):
    path = folder / "mine.py"
    path.write_text(source, encoding="utf-8")
    return f"{path}:{kind}"


def proposers(strategy):
    return [arm.proposer.name for arm in strategy.arms()]


def parts(strategy):
    """The mechanisms of a strategy, as the search gets them."""
    chooser = ["bandit"] if isinstance(strategy.chooser(), Bandit) else []
    racing = [] if strategy.racing() is None else ["racing"]
    return [*strategy.archive().parts, *chooser, *racing, *proposers(strategy)]


@pytest.mark.parametrize("name", ["default", "best-of-n", "sequential", "random"])
def test_a_strategy_is_found_by_its_name(name):
    assert load(name).name == name


def test_the_plain_strategies_have_the_proposers_of_the_default_and_nobody_is_raced():
    for name in ("best-of-n", "sequential", "random"):
        assert proposers(load(name)) == proposers(DEFAULT)
        assert load(name).racing() is None
        assert isinstance(load(name).chooser(), Fixed)
    assert isinstance(load("best-of-n").archive(), Starts)
    assert isinstance(load("sequential").archive(), Latest)


@pytest.mark.parametrize("mechanism", mechanisms())
def test_the_default_without_a_mechanism_or_with_one_more_differs_from_it_in_that_alone(mechanism):
    name = f"default-with{'out' if mechanism in DEFAULT.parts else ''}-{mechanism}"
    varied = load(name)
    assert varied.name == name
    assert set(parts(varied)) ^ set(parts(DEFAULT)) == {mechanism}
    with pytest.raises(EvolveError, match="the default itself"):
        load(f"default-with{'' if mechanism in DEFAULT.parts else 'out'}-{mechanism}")


def test_several_mechanisms_can_be_left_out_at_once_in_any_order():
    lacking = load("default-without-bandit+tune")
    assert load("default-without-tune+bandit+tune").name == lacking.name
    assert "tune" not in proposers(lacking)
    assert type(lacking.chooser()) is not type(DEFAULT.chooser())


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("sequental", "did you mean 'sequential'"),
        ("default-without-bandits+tune", "there is no mechanism 'bandits'; did you mean default-without-bandit?"),
        ("default-with-nothing", "default-with-... knows: "),
        ("default-without-bandits", "did you mean default-without-bandit?"),
        ("default-without-" + "+".join(proposers(DEFAULT)), "no proposer left"),
        ("mine.py", "mine.py:CLASS"),
        ("nowhere.py:Mine", "no file nowhere.py"),
    ],
)
def test_an_unknown_strategy_is_refused_with_the_nearest(spec, said):
    with pytest.raises(EvolveError) as refused:
        load(spec)
    assert said in str(refused.value)


def test_a_strategy_of_ones_own_is_found_by_file_and_class(tmp_path):
    spec = own(tmp_path)
    assert load(spec).name == "mine"
    assert file_of(spec) == tmp_path / "mine.py"
    assert file_of("default") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("class Other(Strategy):\n    name = 'other'\n", "it has: Other"),
        ("class Mine(Strategy):\n    pass\n", "one of ours"),
        ("class Mine(Strategy):\n    name = '../up'\n", "'../up'"),
        ("class Mine(Strategy):\n    name = 'default-without-me'\n", "one of ours"),
        ("class Mine(Strategy):\n    name = 'm'\n    def arms(self):\n        return []\n", "Mine.arms returned []"),
        (
            "class Mine(Strategy):\n    name = 'm'\n    def archive(self, describe):\n        return 3\n",
            "Mine.archive returned 3",
        ),
        (
            "class Mine(Strategy):\n    name = 'm'\n    def chooser(self):\n        raise ValueError('no')\n",
            "Mine.chooser failed: ValueError: no (mine.py, line 7)",
        ),
        ("class Mine(Strategy):\n    name = 'm'\n    parts = ('led', 'mutate')\n", "did you mean 'lead'?"),
        (
            "class Mine(Strategy):\n    name = 'm'\n    def archive(self, describe):\n        return dict\n",
            "returned the class dict; return dict()",
        ),
        (
            "class Mine(Strategy):\n    @property\n    def name(self):\n        raise ValueError('no')\n",
            "Mine.name failed",
        ),
        (
            "class Mine(Strategy):\n    name = 'm'\n    def chooser(self):\n        raise SystemExit(3)\n",
            "Mine.chooser failed: SystemExit: 3",
        ),
        (ARMS.format("Arm(Tune(), '2')"), "gives tune the weight 2"),
        (ARMS.format("Arm(Named('baseline'), 1.0)"), "a proposer called 'baseline'"),
        (ARMS.format("Arm(Named([]), 1.0)"), "a proposer called []"),
        (ARMS.format("Arm(Tune(), 1.0), Arm(Named('tune'), 1.0)"), "two proposers of one name: tune, tune"),
        ("raise SystemExit(3)\n", "cannot import"),
        ("class Mine(Strategy:\n", "SyntaxError"),
    ],
)
def test_a_strategy_of_ones_own_that_is_at_fault_is_refused_and_named(tmp_path, body, said):
    with pytest.raises(EvolveError) as refused:
        load(own(tmp_path, HEAD + body))
    assert said in str(refused.value)
    assert "mine.py" in str(refused.value)


def test_a_run_tells_two_versions_of_a_strategys_file_apart(tmp_path):
    before = load(own(tmp_path)).identity
    assert before.startswith("mine ")
    changed = tmp_path / "changed"
    changed.mkdir()
    assert load(own(changed, MINE + "    parts = ('mutate',)\n")).identity != before
    assert load("default").identity == "default"


def test_what_a_strategy_of_ones_own_raises_in_a_search_names_file_and_class(tmp_path):
    strategy = load(own(tmp_path))
    with (
        pytest.raises(EvolveError, match=r"mine\.py: Mine: searching with it failed: ZeroDivisionError"),
        blaming(strategy),
    ):
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), blaming(DEFAULT):
        1 / 0  # noqa: B018
