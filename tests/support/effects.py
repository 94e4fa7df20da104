"""What an upstream carried out, written down by the upstream alone before it answers.

A file of lines, each synced: whatever is killed, and whatever a test's process forgets, what is in
it was done. Nothing of the gateway's is read to write it.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import providers
from tests.support.oracle import Answer, Understood

_TAGGED = re.compile(r"/v1/orders/([a-z]+[0-9]+x[0-9]*)")


@dataclass(frozen=True, slots=True)
class Effect:
    """One request that was carried out. `tag` is the word that its agent gave it."""

    tag: str
    method: str
    path: str
    amount: int = 0

    @property
    def is_change(self) -> bool:
        return self.method != "GET"


@dataclass
class EffectLog:
    """A provider: give it to an `Oracle`. `on_effect` is called with each change once it is in the
    file and before it is answered, in the thread that answers."""

    file: Path
    on_effect: Callable[[Effect], None] = lambda effect: None
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, request: Understood) -> Answer:
        """Carry it out, write it down, answer."""
        found = _TAGGED.match(request.path)
        body = json.loads(request.body) if request.body else {}
        effect = Effect(
            found[1] if found else request.path, request.method, request.path, body.get("amount", 0)
        )
        line = json.dumps([effect.tag, effect.method, effect.path, effect.amount]) + "\n"
        with self._lock:
            os.write(self._descriptor, line.encode())
            if effect.is_change:
                os.fdatasync(self._descriptor)
            self.done[effect.tag] += 1
        if effect.is_change:
            self.on_effect(effect)
        return providers.answer(request)

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self) -> list[Effect]:
        """All of the file, from the file."""
        return [Effect(*json.loads(line)) for line in self.file.read_text().splitlines()]
