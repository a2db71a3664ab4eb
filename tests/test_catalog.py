"""Finding problems: by name and by path, and what is said when there is none."""

import subprocess
import sys

import pytest
import tiny

from evolve import catalog
from evolve.problem import ProblemError
from evolve.types import EvolveError

TOY = '''
from dataclasses import dataclass
from evolve.problem import Call, Problem

@dataclass
class Case:
    size: int

class Toy(Problem):
    """Write ``decide(x)``."""

    objective = "cost"
    reference = "def decide(x):\\n    return x\\n"

    def cases(self, split):
        return [Case(seed % 9) for seed in split.seeds(20)]

    def simulate(self, case):
        answer = yield Call("decide", case.size, returns=int)
        return {"cost": 1 + answer}
'''


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "toy.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
        return file

    return write


def test_a_file_is_a_problem_named_after_it(write):
    file = write(TOY)
    problem = catalog.load(str(file))
    assert (problem.name, problem.path) == ("toy", file)
    assert catalog.load(catalog.spec(problem)).name == "toy"


def test_a_folder_is_a_problem_named_after_it_and_finds_its_seeds(write, tmp_path):
    write(TOY, "evaluators/toy/problem.py")
    write('"""Always three."""\ndef decide(x):\n    return 3\n', "seeds/toy/three.py")
    problem = catalog.load(str(tmp_path / "evaluators/toy"))
    assert problem.name == "toy"
    assert [(baseline.name, baseline.about) for baseline in problem.baselines()] == [
        ("reference", ""),
        ("three", "Always three."),
    ]


def test_what_comes_with_the_package_is_found_by_name():
    assert "spot" in catalog.names()
    problem = catalog.load("spot")
    assert catalog.spec(problem) == "spot"
    assert problem.baselines()[0].name == "reference"


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(EvolveError, match=r"no problem 'spto'; did you mean 'spot'\? there are: .*spot.*\.py file"):
        catalog.load("spto")


def test_a_missing_file_is_named():
    with pytest.raises(EvolveError, match="no problem file at nowhere"):
        catalog.load("nowhere.py")


def test_a_folder_without_a_problem_is_named(tmp_path):
    with pytest.raises(EvolveError, match="no problem file at"):
        catalog.load(str(tmp_path))


BROKEN = {
    "holds no problem": ("x = 1\n", "exactly one subclass of Problem; found none"),
    "holds two problems": (TOY + "class Second(Toy):\n    pass\n", "found Second, Toy"),
    "only imports one": ("from evolve.problem import Problem\n", "found none"),
    "does not parse": ("class Toy(:\n", "cannot import .*SyntaxError"),
    "fails": ("x = 1 / 0\n", "cannot import .*ZeroDivisionError"),
    "exits": ("exit(3)\n", "cannot import .*SystemExit"),
    "imports what is not there": ("import no_such_module\n", "cannot import .*no_such_module"),
    "has no docstring": (TOY.replace('    """Write ``decide(x)``."""\n', ""), "docstring"),
    "has no objective": (TOY.replace('    objective = "cost"\n', ""), "set `objective`"),
    "has an odd direction": (TOY + '    direction = "up"\n', "'up'; say minimize or maximize"),
    "imports a text": (TOY + '    imports = "networkx"\n', "must be a tuple"),
    "measures a text": (TOY + '    measured = "seconds"\n', "must be a tuple of names of metrics"),
    "is held out by a word": (TOY + '    held_out = "yes"\n', "must be True or False"),
    "has a negative floor": (TOY + "    floor = -1\n", "must be a number of at least 0"),
    "does not ask": (TOY.replace("yield", ""), "generator"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_file_that_is_broken_says_what_to_mend(write, how):
    text, said = BROKEN[how]
    with pytest.raises(ProblemError, match=said):
        catalog.load(str(write(text)))
    assert not [name for name in sys.modules if name.startswith("evolve_problem") and sys.modules[name] is None]


def test_a_problem_without_a_reference_says_where_one_belongs(write):
    problem = catalog.load(str(write(TOY.replace("reference =", "other ="))))
    with pytest.raises(ProblemError, match=r"seeds/toy/reference.py"):
        problem.baselines()


@pytest.mark.parametrize(
    ("attribute", "said"),
    [("limits = 5", "`limits` is 5"), ("floor = 'a'", "`floor` is 'a'"), ("reference = 5", "`reference` must be")],
)
def test_an_attribute_of_the_wrong_type_is_refused_before_anything_is_judged(write, attribute, said):
    with pytest.raises(ProblemError, match=said):
        catalog.load(str(write(TOY + f"\n    {attribute}\n")))


def test_a_class_that_cannot_be_made_says_why(write):
    with pytest.raises(ProblemError, match=r"cannot make Toy of .*ValueError: boo"):
        catalog.load(str(write(TOY + "\n    def __init__(self):\n        raise ValueError('boo')\n")))


def test_a_problem_in_a_folder_has_its_baselines_there(write, monkeypatch):
    path = write(TOY, "servers/problem.py")
    write("def decide(x):\n    return 3\n", "servers/seeds/three.py")
    assert [baseline.name for baseline in catalog.load(str(path)).baselines()] == ["reference", "three"]
    monkeypatch.chdir(path.parent)
    assert catalog.load(".").name == "servers"


def test_a_baseline_that_is_no_text_is_named(write):
    path = write(TOY)
    (path.parent / "seeds" / "toy").mkdir(parents=True)
    (path.parent / "seeds" / "toy" / "bytes.py").write_bytes(b"\xff\xfe")
    with pytest.raises(ProblemError, match=r"cannot read the baseline .*bytes.py"):
        catalog.load(str(path)).baselines()


def test_a_name_without_its_ending_is_recognised(write, monkeypatch):
    monkeypatch.chdir(write(TOY).parent)
    with pytest.raises(EvolveError, match=r"did you mean toy\.py\?"):
        catalog.load("toy")


def test_the_digest_follows_the_code_and_the_baselines(write):
    before = catalog.digest(catalog.load(str(write(TOY))))
    assert catalog.digest(catalog.load(str(write(TOY)))) == before
    write("def decide(x):\n    return 3\n", "seeds/toy/three.py")
    with_seed = catalog.digest(catalog.load(str(write(TOY))))
    changed = catalog.digest(catalog.load(str(write(TOY + "\n# changed\n"))))
    assert len({before, with_seed, changed}) == 3


def test_the_digest_of_what_comes_with_the_package_follows_what_it_imports_and_nothing_else(
    write, tmp_path, monkeypatch
):
    monkeypatch.setattr(catalog, "_home", lambda: tmp_path / "evaluators")
    path = write(
        TOY + "\nfrom evaluators.gpu.table import Table\nimport workloads.layers\n", "evaluators/toy/problem.py"
    )
    digests = [catalog.digest_of(path)]
    for shared, text in (
        ("evaluators/gpu/table.py", "from workloads import shapes\n"),
        ("evaluators/gpu/server.py", "# started by another file of the folder\n"),
        ("workloads/layers.py", "# imported\n"),
        ("workloads/shapes.py", "# imported by what is imported\n"),
        ("evaluators/toy/simulator.py", "# beside it\n"),
    ):
        write(text, shared)
        digests.append(catalog.digest_of(path))
    assert len(set(digests)) == 6
    for other in ("evaluators/other/problem.py", "evaluators/other/__init__.py", "workloads/others.py"):
        write("# of another problem\n", other)
    assert catalog.digest_of(path) == digests[-1]


def test_the_digest_does_not_ask_that_a_file_can_be_parsed(write, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "_home", lambda: tmp_path / "evaluators")
    broken = write("def (:\n", "evaluators/toy/problem.py")
    assert catalog.digest_of(broken) != catalog.digest_of(write("def (:\n\n", "evaluators/toy/problem.py"))


def test_listing_problems_imports_none_of_them():
    script = "import sys; from evolve import catalog; catalog.names(); print('evaluators.spot.problem' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def test_a_run_inside_the_folder_of_a_problem_is_no_part_of_it(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    tiny.write(folder).rename(folder / "problem.py")
    problem = catalog.load(str(folder))
    before = catalog.digest(problem)
    run = folder / "runs" / "first"
    run.mkdir(parents=True)
    (run / "journal.sqlite").touch()
    (run / "best.py").write_text("def guess(x):\n    return x\n")
    assert catalog.digest(problem) == before
    (folder / "more.py").write_text("X = 1\n")
    assert catalog.digest(problem) != before
