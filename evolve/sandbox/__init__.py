"""Runs policies that nobody has read.

The story, in the order of the files:

1. ``launcher`` starts a ``guard``, and that a ``zygote``: a process with a fresh environment that has imported what
   policies need.  It never runs a policy.  For each evaluation it forks one child.  The guard sees to it that
   neither outlives the judge.
2. What needs to stand only once the zygote puts up around itself: ``namespaces`` with an empty root, another user, no
   capabilities.  What each child puts up for itself is ``lockdown``: closed descriptors, resource limits, no new
   privileges, ``landlock`` and, last, the system-call allow-list of ``seccomp``: no open, no socket, no
   clone, no exec, no kill.  ``kernel`` holds the calls that this takes.
3. ``host`` runs in the locked child: it loads the policy (``imports``, ``determinism``) and answers calls
   with its decisions.
4. ``wire`` is the only thing that leaves it: length-limited frames of plain data over a pipe.
5. ``child`` is the trusted side: it asks and kills; ``watchdog`` keeps the deadlines, ``failure`` turns
   every way to fail into a verdict.
6. ``selftest`` attacks a child from within and ``advice`` says what is missing and how to get it: `evolve doctor`.

Environment, limits, seccomp and a user that is not root are the minimum (``evolve.types.MINIMUM``), and stop
every attack that ATTACKS.md lists; the other layers stop most of them again, should one of the first have a hole.
What a child can do is decide badly, use up its limits, and die.  What is left to it: bugs of the kernel, and
side channels.
"""

import sys

from evolve.sandbox import advice
from evolve.types import EvolveError

if sys.platform == "win32":  # where half of what follows cannot even be imported
    raise EvolveError(advice.another_system("Windows"))

from evolve.sandbox.child import Child
from evolve.sandbox.failure import PolicyFailure, SandboxError
from evolve.sandbox.launcher import Sandbox
from evolve.sandbox.wire import WireError

__all__ = ["Child", "PolicyFailure", "Sandbox", "SandboxError", "WireError"]
