"""An agent that becomes curl, calling an API of one's own; it reports by curl's own output.

It only builds curl's command line and replaces itself by it: the process that the test starts,
and kills, is curl.
"""

from __future__ import annotations

import os
import shutil
import sys

ORDERS = "https://warehouse.example.test/v1/orders"

act, tag = sys.argv[1], sys.argv[2]
ARGUMENTS = {
    "read": [f"{ORDERS}/{tag}"],
    "risky": ["--json", '{"amount":9000}', f"{ORDERS}/{tag}/refund"],
    "forbidden": ["-X", "DELETE", f"{ORDERS}/{tag}"],
}
curl = shutil.which("curl")
assert curl is not None
# -i prints the head too; --fail-with-body makes an error status an exit status (22).
os.execv(curl, ["curl", "-sS", "-i", "--fail-with-body", "--max-time", "60", *ARGUMENTS[act]])
