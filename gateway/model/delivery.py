"""One message to one channel: states and legal moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """SKIPPED: there was nothing left to say. DEAD: given up; a person may send it again."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    SKIPPED = "SKIPPED"
    DEAD = "DEAD"


class DeliveryEvent(StrEnum):
    PUT_OFF = "PUT_OFF"
    ARRIVE = "ARRIVE"
    SKIP = "SKIP"
    GIVE_UP = "GIVE_UP"
    RESEND = "RESEND"


LEGAL_MOVES: Mapping[DeliveryStatus, Mapping[DeliveryEvent, DeliveryStatus]] = {
    DeliveryStatus.PENDING: {
        DeliveryEvent.PUT_OFF: DeliveryStatus.PENDING,
        DeliveryEvent.ARRIVE: DeliveryStatus.DELIVERED,
        DeliveryEvent.SKIP: DeliveryStatus.SKIPPED,
        DeliveryEvent.GIVE_UP: DeliveryStatus.DEAD,
    },
    DeliveryStatus.DELIVERED: {DeliveryEvent.RESEND: DeliveryStatus.PENDING},
    DeliveryStatus.SKIPPED: {DeliveryEvent.RESEND: DeliveryStatus.PENDING},
    DeliveryStatus.DEAD: {DeliveryEvent.RESEND: DeliveryStatus.PENDING},
}
"""What is not in this table can't happen; the database enforces the same."""
