"""What operators need: the page of the server, its own errors as a project, failed tasks."""

from tracer.accounts.model import ServerAdminsChanged
from tracer.features.operations import pages, tasks
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="operations",
    routes=(pages.routes,),
    every=tasks.SCHEDULE,
    after=((ServerAdminsChanged, tasks.admins_changed),),
    settings=(SettingsLink("Server", pages.PATH, "server", "server", 85, Permission.SERVER_ADMIN),),
)
