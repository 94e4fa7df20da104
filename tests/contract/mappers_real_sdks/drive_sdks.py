"""Prints what came of driving every SDK of ours: `python -m ...mappers_real_sdks.drive_sdks`."""

from __future__ import annotations

import sys

from tests.contract.mappers_real_sdks import (
    test_cloudflare,
    test_hubspot,
    test_llm,
    test_notion,
    test_slack,
    test_stripe,
)
from tests.contract.mappers_real_sdks.sdk import catalog_operations

FIGURES = {
    "stripe": test_stripe.figures,
    "slack": test_slack.figures,
    "openai": lambda: test_llm.figures("openai"),
    "anthropic": lambda: test_llm.figures("anthropic"),
    "cloudflare": test_cloudflare.figures,
    "notion": test_notion.figures,
    "hubspot": test_hubspot.figures,
}


def main(wanted: list[str]) -> int:
    """Drive the named SDKs, or all."""
    failed = False
    for name in wanted or FIGURES:
        figures = FIGURES[name]()
        missing = sorted(catalog_operations(name) - figures.methods)
        print(f"{name}: {figures}; {len(missing)} operations of the catalog not called")
        for operation, found in sorted(set(figures.wrong)):
            print(f"  wrong: {operation} is called {found}")
        for operation, found in sorted(set(figures.same)):
            print(f"  same bytes: {operation} is called {found}")
        for operation in missing:
            print(f"  not called: {operation}")
        failed |= bool(figures.mild) or figures.share < 0.995
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
