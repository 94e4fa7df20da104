"""The demo's agent: an ordinary program with the real Stripe SDK.

It is run by its path in a process of its own, imports nothing of Checkrein and knows nothing of
it: what governs it is in its environment variables. Lines with `->` say what it is about to do,
lines with `<-` what came of it.
"""

import time

import stripe

stripe.api_key = "sk_test_of_the_demo"
PATIENCE_SECONDS = 1800


def say(words: str) -> None:
    """Tell the terminal, at once."""
    print(words, flush=True)


def dollars(amount: int) -> str:
    """Cents as dollars."""
    return f"{amount / 100:,.2f} USD"


def main() -> None:
    """Read, charge, pay out, refund: as somebody told it to."""
    say(f"-> hello, I am a Python program with stripe {stripe.VERSION}")

    say("-> reading the balance")
    balance = stripe.Balance.retrieve()
    say(f"<- {dollars(balance.available[0].amount)} are available")

    say("-> charging 42.00 USD")
    charge = stripe.Charge.create(amount=4200, currency="usd", source="tok_visa")
    say(f"<- charge {charge.id} {charge.status}")

    say("-> paying out 9,000.00 USD to a bank account")
    try:
        stripe.Payout.create(amount=900_000, currency="usd", destination="ba_somewhere")
    except stripe.StripeError as error:
        say(f"<- {type(error).__name__}: {error.user_message}")
    else:
        say("<- paid out")

    say(f"-> refunding 12.00 USD of {charge.id}")
    refund(charge.id)


def refund(charge_id: str) -> None:
    """Try until there is an answer, as a patient program does with any temporary refusal."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            made = stripe.Refund.create(charge=charge_id, amount=1200)
        except stripe.StripeError as error:
            if error.code == "approval_pending" and time.monotonic() < until:
                continue
            say(f"<- {type(error).__name__}: {error.user_message}")
        else:
            say(f"<- refund {made.id} {made.status}")
        return


if __name__ == "__main__":
    main()
