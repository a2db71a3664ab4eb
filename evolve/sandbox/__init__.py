"""Runs policies that nobody has read.

The story, in the order of the files:

1. ``zygote`` is a process with a fresh environment that has imported what policies need.  It never
   runs a policy.  For each evaluation it forks one child.
2. ``lockdown`` is what the child does first: no new privileges, resource limits, closed descriptors
   and, last, the system-call allow-list of ``seccomp``: no open, no socket, no clone, no exec, no kill.
3. ``host`` runs in the locked child: it loads the policy and answers calls with its decisions.
4. ``wire`` is the only thing that leaves it: length-limited frames of plain data over a pipe.
5. ``child`` is the trusted side: it asks, keeps the deadlines, kills, and turns every way to fail
   into a verdict.
6. ``selftest`` attacks a child from within and reports which layers stand.

What a child can do is decide badly, use up its limits, and die.
"""

from evolve.sandbox.child import Child, PolicyFailure, Sandbox, SandboxError, Usage

__all__ = ["Child", "PolicyFailure", "Sandbox", "SandboxError", "Usage"]
