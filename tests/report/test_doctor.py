"""What the doctor says."""

import platform

import pytest

from evolve.report import doctor
from evolve.report.doctor import Health, Wall, describe
from evolve.sandbox import advice, launcher
from evolve.sandbox.selftest import Finding
from evolve.types import MINIMUM, Layer

STOPPED = Finding("read a file", "seccomp", True, "FORBIDDEN: tried to open a file")
WORKED = Finding("list a directory", "seccomp", False, "it worked")


def walls(*missing):
    return tuple(
        Wall(layer, layer not in missing, layer in MINIMUM, "it is switched off", advice.how_to_get(layer))
        for layer in Layer
    )


def health(sound, *findings, missing=(), problem=""):
    return Health(sound, "Linux, 2 cores", {"python": "3.11"}, walls(*missing), findings, problem)


def test_a_sandbox_that_stands_is_said_to_stand():
    text = describe(health(True, STOPPED))
    assert "stopped" in text
    assert "NOT" not in text
    assert "MISSING" not in text
    assert text.endswith("the sandbox stands, with every layer there is")


def test_a_second_wall_that_is_missing_comes_with_the_way_to_get_it():
    text = describe(health(True, STOPPED, missing=[Layer.NAMESPACES]))
    assert "missing  namespaces" in text
    assert "not here: it is switched off" in text
    assert "to get namespaces: allow user namespaces" in text
    assert "NOT" not in text
    assert "the sandbox stands: what is missing above is a second wall" in text


@pytest.mark.parametrize("layer", sorted(MINIMUM))
def test_a_wall_of_the_minimum_that_is_missing_cannot_be_overlooked(layer):
    text = describe(health(False, STOPPED, missing=[layer]))
    assert f"MISSING  {layer}" in text
    assert "does NOT stand" in text
    assert advice.DOCKER in text


def test_an_attack_that_worked_cannot_be_overlooked():
    text = describe(health(False, STOPPED, WORKED))
    assert "NOT STOPPED  list a directory" in text
    assert "does NOT stand" in text


def test_where_there_is_no_sandbox_the_reason_is_given():
    assert describe(health(False, problem="needs Linux")).endswith("sandbox   missing: needs Linux")


def test_this_machine_is_examined_and_attacked():
    found = doctor.examine()
    assert found.sound
    assert len(found.findings) >= 10
    assert {wall.layer for wall in found.walls} == set(Layer)


def test_every_attack_fails_for_want_of_what_it_was_denied():
    ends = {finding.name: finding.detail for finding in doctor.examine().findings}
    assert ends.pop("compute for ever").startswith("TIMED_OUT")
    assert ends.pop("take all memory").startswith("OUT_OF_MEMORY")
    assert "File too large" in ends.pop("fill a disk with output")
    assert {name: end for name, end in ends.items() if not end.startswith("FORBIDDEN")} == {}


def test_on_another_system_the_way_out_is_a_container(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    found = doctor.examine()
    assert not found.sound
    assert "docker run" in found.problem
    assert "docker run" in describe(found)


def test_an_environment_that_is_not_fresh_is_noticed(monkeypatch):
    monkeypatch.setitem(launcher.ENVIRONMENT, "SECRET_KEY", "1")  # after the attack was written down
    found = doctor.examine()
    assert not found.sound
    assert [finding.name for finding in found.findings if not finding.stopped] == ["read the environment"]
