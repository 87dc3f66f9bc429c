"""Failures of the background worker: Go."""

from __future__ import annotations

from tracer.cli.demo.frames import app_frame, system_frame
from tracer.cli.demo.world import Fields, Release, Scene, Service, Story, exception

_MODULE = "shop.example.com/worker"


def _fields(at: Scene) -> Fields:
    return {
        "server_name": f"worker-{at.random.randint(1, 2)}",
        "tags": {"queue": at.random.choice(("mail", "export", "import"))},
        "contexts": {
            "runtime": {"name": "go", "version": "go1.24.4", "go_numroutines": 42},
            "device": {"arch": "arm64", "num_cpu": 4},
            "os": {"name": "linux"},
        },
        "sdk": {
            "name": "sentry.go",
            "version": "0.34.1",
            "packages": [{"name": "sentry-go", "version": "0.34.1"}],
        },
        "modules": {_MODULE: "(devel)", "github.com/getsentry/sentry-go": "v0.34.1"},
    }


SERVICE = Service(
    "worker",
    "go",
    (Release("worker@1.18.0", 30), Release("worker@1.19.0", 6.3)),
    _fields,
)


def _frame(file: str, needle: str, function: str) -> Fields:
    module = f"{_MODULE}/{file.rpartition('/')[0]}"
    return app_frame(file, needle, function, root="/src/worker/", module=module)


def _loop() -> list[Fields]:
    return [
        _frame("internal/queue/consumer.go", "handler(ctx, job); err", "(*Consumer).Consume"),
    ]


def _export(at: Scene) -> Fields:
    page = at.random.randint(3, 60)
    run = _frame("internal/export/export.go", "return fmt.Errorf", "(*Exporter).Run")
    cause = {"type": "context.deadlineExceededError", "value": "context deadline exceeded"}
    value = f"export of 2025-11-{at.random.randint(10, 28)}: page {page}: {cause['value']}"
    return {
        "transaction": "job export",
        "exception": {
            "values": [
                cause,
                exception(
                    "*fmt.wrapError", value, [*_loop(), run], {"type": "generic", "handled": True}
                ),
            ]
        },
        "contexts": {"job": {"id": at.hex(16), "kind": "export", "tries": at.random.randint(1, 5)}},
    }


def _short_row(at: Scene) -> Fields:
    columns = _frame("internal/export/export.go", "Price: row[3]", "columns")
    return {
        "level": "fatal",
        "transaction": "job import",
        "exception": {
            "values": [
                exception(
                    "runtime.boundsError",
                    "runtime error: index out of range [3] with length 3",
                    [
                        *_loop(),
                        columns,
                        system_frame(
                            "panic.go", "goPanicIndex", 115, module="runtime",
                            abs_path="/usr/local/go/src/runtime/panic.go",
                        ),
                    ],
                    {"type": "generic", "handled": False},
                )
            ]
        },
        "extra": {"row": ["LAMP-0042", "Floor lamp, oak", str(at.random.randint(1, 30))]},
    }  # fmt: skip


def _refused(at: Scene) -> Fields:
    send = _frame("internal/mail/send.go", "return fmt.Errorf", "(*Sender).Send")
    value = f"mail to 1 recipients: 550 5.1.1 <{at.person.email}>: mailbox unavailable"
    return {
        "level": "warning",
        "transaction": "job mail",
        "user": {"email": at.person.email},
        "exception": {
            "values": [
                exception(
                    "*textproto.Error", value, [*_loop(), send],
                    {"type": "generic", "handled": True},
                )
            ]
        },
    }  # fmt: skip


def _no_handler(at: Scene) -> Fields:
    report = _frame("internal/queue/consumer.go", "no handler for job", "(*Consumer).Consume")
    job = {"id": at.hex(16), "kind": "loyalty.points"}
    return {
        "transaction": "job",
        "exception": {
            "values": [
                exception(
                    "*fmt.wrapError", 'no handler for job "loyalty.points"', [report],
                    {"type": "generic", "handled": True},
                )
            ]
        },
        "contexts": {"job": job},
    }  # fmt: skip


STORIES = (
    Story("export takes too long", SERVICE, 2.6, _export),
    Story("short row", SERVICE, 0.8, _short_row, since_days=6.3),
    Story("mailbox unavailable", SERVICE, 3.8, _refused, staging=0.0),
    Story("job of a newer release", SERVICE, 0.6, _no_handler, since_days=2.2, staging=1.0),
)
