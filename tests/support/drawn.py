"""How generated examples are drawn, in every test that has some; imported for its effect.

Not in the conftest of all tests: those that draw nothing need not load Hypothesis.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: a slow machine is no failure. In CI the same examples each time, so that a change is
# judged by what it changes; everywhere else new ones at every run.
settings.register_profile(
    "checkrein",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("checkrein")
