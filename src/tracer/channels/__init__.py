"""Channels: messages that leave this server. So far mail."""

from __future__ import annotations

from tracer.channels import mail, mail_pages
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission
from tracer.kit.tasks import Every

FEATURE = Feature(
    name="channels",
    routes=(mail_pages.routes,),
    tasks={"mail.send": mail.deliver_sealed},
    every=(Every(24 * 3600, mail.drop_undeliverable),),
    settings=(
        SettingsLink("Mail", "/settings/mail/", "send", "server", 90, Permission.SERVER_ADMIN),
    ),
)
