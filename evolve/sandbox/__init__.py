"""Runs policies that nobody has read.

The story, in the order of the files:

1. ``launcher`` starts a ``zygote``, a process with a fresh environment that has imported what policies
   need.  It never runs a policy.  For each evaluation it forks one child.
2. ``lockdown`` is what the child does first: closed descriptors, resource limits, no new privileges
   and, last, the system-call allow-list of ``seccomp``: no open, no socket, no clone, no exec, no kill.
3. ``host`` runs in the locked child: it loads the policy (``imports``, ``determinism``) and answers calls
   with its decisions.
4. ``wire`` is the only thing that leaves it: length-limited frames of plain data over a pipe.
5. ``child`` is the trusted side: it asks and kills; ``watchdog`` keeps the deadlines, ``failure`` turns
   every way to fail into a verdict.
6. ``selftest`` attacks a child from within and reports which layers stand.

What a child can do is decide badly, use up its limits, and die.
"""

from evolve.sandbox.child import Child
from evolve.sandbox.failure import PolicyFailure, SandboxError
from evolve.sandbox.launcher import Sandbox
from evolve.sandbox.wire import WireError

__all__ = ["Child", "PolicyFailure", "Sandbox", "SandboxError", "WireError"]
