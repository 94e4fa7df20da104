"""A server of ours as the supervisor sees it: behaves as FAKE_BEHAVIOUR says.

Knows the interface only: `--ready-fd N`, environment variables, SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time


def main() -> None:
    name, behaviour = sys.argv[1], os.environ.get("FAKE_BEHAVIOUR", "good")
    folder = os.environ["CHECKREIN_DATA_DIR"]
    with open(os.path.join(folder, "events"), "a") as file:
        file.write(f"start {name} {os.getpid()}\n")
    if behaviour == f"refuse-{name}":
        print("error: the moon is full\nhelp: wait a fortnight", file=sys.stderr)
        raise SystemExit(2)
    if behaviour == f"crash-{name}":
        raise RuntimeError("a bug")
    if behaviour == f"silent-{name}":
        time.sleep(60)
    if behaviour == f"garbage-{name}":
        os.write(int(sys.argv[-1]), b"not json\n")
        time.sleep(60)
    if behaviour != f"stubborn-{name}":
        signal.signal(signal.SIGTERM, lambda *_: end(name, folder))
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(name, folder)


def end(name: str, folder: str) -> None:
    with open(os.path.join(folder, "events"), "a") as file:
        file.write(f"end {name} {os.getpid()}\n")
    raise SystemExit(0)


def serve(name: str, folder: str) -> None:
    port_name = "CHECKREIN_API_PORT" if name == "control" else "CHECKREIN_PROXY_PORT"
    listener = socket.create_server(("127.0.0.1", int(os.environ[port_name])))
    port = listener.getsockname()[1]
    if name == "control":
        for role in ("admin", "gateway", "agent"):
            with open(os.path.join(folder, f"{role}.key"), "w") as file:
                file.write(f"cr_{role}_x\n")
        ready = {"api_url": f"http://127.0.0.1:{port}", "tenant_id": "t", "admin_key_file": "k"}
    else:
        ready = {
            "proxy_port": port,
            "ca_file": "ca.pem",
            "ca_bundle_file": "bundle.pem",
            "metrics_url": os.environ["CHECKREIN_METRICS_ALSO"],
        }
    os.write(int(sys.argv[-1]), json.dumps(ready).encode() + b"\n")
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
