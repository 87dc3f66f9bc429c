"""The page of the mail server: /settings/mail/, for server administrators."""

from __future__ import annotations

from tracer.channels import mail, mail_server
from tracer.channels.mail_server import MailSettings
from tracer.errors import Problem
from tracer.kit import audit
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.forms import FieldInvalid, Form
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

PATH = "/settings/mail/"
SECURITIES = (
    ("starttls", "STARTTLS (usually port 587)"),
    ("tls", "TLS from the start (usually port 465)"),
    ("none", "None (this machine only)"),
)

routes = Routes()


@routes.get(PATH, can=Permission.SERVER_ADMIN)
def show(req: Req) -> Response:
    return _page(req, Checked(req.form))


@routes.post(PATH, can=Permission.SERVER_ADMIN, step_up=True)
def update(req: Req) -> Response:
    form = Checked(req.form)
    wanted = MailSettings(
        req.form.get("host").strip(),
        _port(req.form.get("port")),
        req.form.get("security"),
        req.form.get("username").strip(),
        req.form.get("sender").strip(),
        req.form.get("password") or None,
    )
    try:
        with req.meta.write() as tx:
            mail_server.change(tx, req.tracer.vault, wanted)
    except FieldInvalid as error:
        form.errors.update(error.fields)
        return _page(req, form, status=422)
    flash(req, "The mail server is saved. Send a test mail to see it work.")
    return redirect(PATH)


@routes.post(PATH + "remove", can=Permission.SERVER_ADMIN, step_up=True)
def remove(req: Req) -> Response:
    with req.meta.write() as tx:
        mail_server.remove(tx, req.tracer.vault)
    flash(req, "The mail server is removed.")
    return redirect(PATH)


@routes.post(PATH + "test", can=Permission.SERVER_ADMIN)
def send_test(req: Req) -> Response:
    content = mail.compose(
        req.tracer.templates,
        "Mail from tracer works",
        ["This is the test mail that you asked for. There is nothing to do."],
        link=req.public_url + "/",
        button="Open tracer",
    )
    subject = "Mail from tracer works"
    with req.meta.write() as tx:
        audit.record(tx, "mail.test", "mail", after={"to": req.actor.email})
    try:
        mail.send(req.tracer, req.actor.email, subject, content.text, content.html)
    except Problem as error:
        return _page(req, Checked(Form([])), test_error=error.detail, status=422)
    flash(req, f"The test mail was handed over for {req.actor.email}.")
    return redirect(PATH)


def _port(text: str) -> int:
    """A port as typed; 0, which is none, when it is no number."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


def _page(req: Req, form: Checked, *, test_error: str = "", status: int = 200) -> Response:
    return page(
        req,
        "channels/mail.html",
        status=status,
        server=mail_server.mail_server(req.meta.read()),
        securities=SECURITIES,
        form=form,
        test_error=test_error,
    )
