"""Joins what reaches people: the services of channels, and the tasks that send."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from controlplane.faults import StartError
from controlplane.notify.otlp import OtlpAt
from controlplane.notify.outbound import OutboundGuard
from controlplane.notify.slack import SlackApi
from controlplane.services.access.keys import KeyService
from controlplane.services.approvals.answering import AnsweringService
from controlplane.services.approvals.lifecycle import ApprovalService
from controlplane.services.reaching.channels import ChannelService
from controlplane.services.reaching.delivering import DeliveryWorker
from controlplane.services.reaching.mail_links import MailLinkService
from controlplane.services.reaching.notifications import (
    NotificationService,
    NotificationSettings,
    ReadSubject,
)
from controlplane.services.reaching.sending import ChannelSender, Outside
from controlplane.services.reaching.slack_callbacks import SlackCallbackService
from controlplane.services.reaching.streaming import StreamService, StreamSettings
from controlplane.services.secret_box import load_secret_box
from controlplane.settings import ControlSettings
from controlplane.store.callbacks import CallbackStore
from controlplane.store.channels import ChannelStore
from controlplane.store.database import Database
from controlplane.store.deliveries import DeliveryStore
from controlplane.store.events import EventStore
from controlplane.store.streams import StreamStore
from controlplane.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Reaching:
    """`forever` are tasks by name that run for as long as the control plane does."""

    channels: ChannelService
    slack_callbacks: SlackCallbackService
    mail_links: MailLinkService
    streams: StreamService
    forever: Mapping[str, Callable[[], Coroutine[None, None, None]]]


@dataclass(frozen=True, slots=True)
class Answerers:
    """What an answer from a channel needs."""

    approvals: ApprovalService
    keys: KeyService


def join_reaching(
    database: Database,
    settings: ControlSettings,
    limits: NotificationSettings,
    of_streams: StreamSettings,
    answerers: Answerers,
    read_subject: ReadSubject,
    public_url: Callable[[], str],
    metrics: Metrics,
) -> Reaching:
    """Make them.

    Raises:
        StartError: the key of channels' secrets, or what may be reached, can't be used.
    """
    channel_store, delivery_store = ChannelStore(database), DeliveryStore(database)
    callback_store = CallbackStore(database)
    box = load_secret_box(settings.data_dir, settings.reaching.secrets_key_file)
    try:
        guard = OutboundGuard(settings.reaching.webhook_allow)
    except ValueError as error:
        raise StartError(
            "channel.bad_allow",
            f"CHECKREIN_WEBHOOK_ALLOW: {error}",
            "write hosts, addresses and networks with commas between, like hooks.corp,10.1.0.0/16",
        ) from None
    outside = Outside(guard, SlackApi(settings.reaching.slack_api_url), public_url)
    sender = ChannelSender(box, callback_store, outside)
    answering = AnsweringService(answerers.approvals, answerers.keys)
    notifications = NotificationService(
        channel_store,
        EventStore(database),
        delivery_store,
        callback_store,
        read_subject,
        metrics,
        limits,
    )
    worker = DeliveryWorker(
        channel_store,
        delivery_store,
        sender,
        outside,
        read_subject,
        notifications.made,
        metrics,
        limits,
    )
    store, collector = StreamStore(database), _collector(settings)
    streams = StreamService(store, channel_store, sender, outside, collector, metrics, of_streams)
    return Reaching(
        ChannelService(channel_store, delivery_store, box, sender, guard, metrics),
        SlackCallbackService(
            channel_store, callback_store, answering, sender, outside, read_subject
        ),
        MailLinkService(callback_store, channel_store, answering, box, read_subject),
        streams,
        {
            "notifications": notifications.run_forever,
            "notifications-sweep": notifications.forget_forever,
            "deliveries": worker.run_forever,
            "streams": streams.run_forever,
        },
    )


def _collector(settings: ControlSettings) -> OtlpAt | None:
    found = settings.otlp
    return None if found is None else OtlpAt(found.endpoint, dict(found.headers))
