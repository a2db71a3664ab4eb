"""What the doctor says."""

from evolve.report.doctor import Health, describe
from evolve.sandbox.selftest import Finding

STOPPED = Finding("read a file", "seccomp", True, "FORBIDDEN: tried to open a file")
WORKED = Finding("list a directory", "seccomp", False, "it worked")


def health(sound, *findings, unprivileged=True, problem=""):
    return Health(sound, "Linux, 2 cores", {"python": "3.11"}, unprivileged, findings, problem)


def test_a_sandbox_that_stands_is_said_to_stand():
    text = describe(health(True, STOPPED))
    assert "stopped" in text
    assert "NOT" not in text
    assert text.endswith("the sandbox stands")


def test_an_attack_that_worked_cannot_be_overlooked():
    text = describe(health(False, STOPPED, WORKED))
    assert "NOT STOPPED  list a directory" in text
    assert "does NOT stand" in text


def test_root_is_named():
    assert "ROOT" in describe(health(False, STOPPED, unprivileged=False))


def test_where_there_is_no_sandbox_the_reason_is_given():
    assert describe(health(False, problem="needs Linux")).endswith("sandbox   missing: needs Linux")
