"""`tracer serve`."""

from __future__ import annotations

from pathlib import Path

import click

from tracer import settings as all_settings
from tracer.cli.group import data_option, given, refusing


@click.command("serve")
@click.option("--host", help="Address to listen on.  [TRACER_HOST, default 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [TRACER_PORT, default 9000]")
@click.option("--url", help="Public URL, if a proxy stands before it.  [TRACER_URL]")
@data_option
@refusing
def command(host: str | None, port: int | None, url: str | None, data: Path | None) -> None:
    """Start the server. It needs no configuration.

    The first start makes the data folder, an organization and a project, and prints the URL, a
    link to choose e-mail and password, the DSN, and a line that sends a test error.

    \b
    tracer serve
    tracer serve --port 8080 --data /var/lib/tracer
    tracer serve --host 0.0.0.0 --url https://errors.example.com
    """
    settings, _ = all_settings.load(given(host=host, port=port, url=url, data=data))
    from tracer import serve
    from tracer.kit import logs

    logs.configure(settings.log_level, settings.log_format)
    serve.serve(settings)
