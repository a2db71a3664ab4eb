"""What the layers are and how to get those that are missing, in words for someone who meets them first."""

from collections.abc import Mapping

from evolve.types import MINIMUM, Layer

ABOUT = {
    Layer.ENVIRONMENT: "keys and paths in the judge's environment are not passed on",
    Layer.LIMITS: "CPU, memory, output and open files are limited by the kernel",
    Layer.SECCOMP: "the kernel refuses to open files, sockets and processes for a policy",
    Layer.USER: "policies run without root's rights",
    Layer.CAPABILITIES: "nor with any of the powers that root is made of",
    Layer.LANDLOCK: "a second refusal of files, networks and signals",
    Layer.NAMESPACES: "an empty disk, and no other process or network in sight",
}

_HOW = {
    Layer.SECCOMP: "use a Linux kernel with CONFIG_SECCOMP_FILTER on x86-64 or aarch64, and in a container a profile "
    "that allows prctl to set filters (Docker's default one does)",
    Layer.USER: "start evolve as an ordinary user, or give this root CAP_SETUID and CAP_SETGID",
    Layer.CAPABILITIES: "start evolve as an ordinary user",
    Layer.LANDLOCK: "use Linux 5.13 or later with `landlock` among the words of /sys/kernel/security/lsm "
    "(kernel parameter lsm=landlock,...)",
    Layer.NAMESPACES: "allow user namespaces (sysctl user.max_user_namespaces above 0; on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0), or start evolve as root outside of containers",
}

DOCKER = 'docker run --rm -it -v "$PWD":/evolve -w /evolve python:3.11 make demo'
"""Runs everything in a Linux container; Docker's default profile leaves the minimum standing."""


def how_to_get(layer: Layer) -> str:
    """Returns what to do so that a missing layer stands."""
    return _HOW.get(layer, "this should not happen: please report it")


def another_system(name: str) -> str:
    """Returns the message for macOS and others."""
    return (
        f"policies are judged behind walls of the Linux kernel, and this is {name or 'an unknown system'}; with Docker "
        f"everything runs in a container: {DOCKER}"
    )


def below_the_minimum(missing: Mapping[Layer, str]) -> str:
    """Returns why policies are not judged on this machine, and what to do."""
    said = "; ".join(
        f"{layer} ({missing[layer]}): {how_to_get(layer)}" for layer in Layer if layer in MINIMUM & missing.keys()
    )
    return (
        f"this machine lacks what must stand before a policy runs that nobody has read: {said}.  With --unsafe "
        "policies are judged all the same, and every score says so: only for policies that you wrote or have read"
    )
