"""An agent on the Stripe SDK: reads a charge, refunds one, pays out."""

from __future__ import annotations

from collections.abc import Mapping

import stripe
from telling import tell

stripe.api_key = "sk_test_51Checkrein"


def describe(error: Exception) -> Mapping[str, object]:
    """What a StripeError carries."""
    if not isinstance(error, stripe.StripeError):
        return {}
    return {"status": error.http_status, "headers": dict(error.headers or {}), "code": error.code}


tell(
    {
        "read": lambda tag: stripe.Charge.retrieve(f"ch_{tag}"),
        "risky": lambda tag: stripe.Refund.create(charge=f"ch_{tag}", amount=9000),
        "forbidden": lambda tag: stripe.Payout.create(
            amount=100, currency="usd", description=f"po_{tag}"
        ),
    },
    describe,
)
