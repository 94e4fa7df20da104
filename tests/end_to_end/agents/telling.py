"""How an agent of the tests tells what happened to it: one JSON line, whatever its client.

It runs in the agent's own process and knows nothing of Checkrein: it is given only the act
(`read`, `risky` or `forbidden`) and a tag, and reports the native result or exception.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

Act = Callable[[str], object]

EXIT_REFUSED = 3
"""The client raised, so that a shell sees the failure too."""


def tell(acts: Mapping[str, Act], describe: Callable[[Exception], Mapping[str, object]]) -> None:
    """Do the act named on the command line, print one JSON line, and exit.

    `describe` adds what this client's exceptions carry (status, headers, code).
    """
    act, tag = sys.argv[1], sys.argv[2]
    try:
        result = acts[act](tag)
    except Exception as error:
        kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
        told = {"ok": False, "kinds": kinds, "message": str(error), **describe(error)}
        print(json.dumps(told, default=str), flush=True)
        sys.exit(EXIT_REFUSED)
    print(json.dumps({"ok": True, "result": str(result)[:2000]}), flush=True)
