"""Development: Werkzeug's server, with clean stops. Used by ``python -m`` and ``flask run``."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo, pass_script_info, run_command
from flask.helpers import get_debug_flag
from werkzeug.debug import DebuggedApplication
from werkzeug.serving import make_server

from . import logs
from .lifecycle import Lifecycle, StartError
from .reload import SOURCES, is_reloader, run_reloader
from .settings import load_settings


def serve(app: Flask, host: str, port: int, *, debugger: bool = False, **options: Any) -> None:
    """Serve *app* until a signal, then let it stop in phases.

    Args:
        app: made by ``create_app``.
        host: the address to listen on.
        port: the port, 0 for any.
        debugger: show tracebacks in the browser.
        options: for :func:`werkzeug.serving.make_server`.
    """
    lifecycle: Lifecycle = app.extensions["lifecycle"]
    wsgi_app = DebuggedApplication(app, evalex=True) if debugger else app
    server = make_server(host, port, wsgi_app, **options)
    scheme = "https" if options.get("ssl_context") else "http"
    for signum in (signal.SIGINT, signal.SIGTERM):  # a shell's "&" may have ignored SIGINT
        signal.signal(signum, signal.default_int_handler)
    try:
        lifecycle.start()
        click.echo(f"Serving on {scheme}://{host}:{server.port} (press Ctrl-C to stop)")
        server.serve_forever()  # until KeyboardInterrupt, which it catches
    except StartError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)
    except KeyboardInterrupt:
        pass  # a stop while we start
    lifecycle.stop()
    sys.exit(lifecycle.exit_code)


@click.command("run", params=run_command.params, help=run_command.help)
@pass_script_info
def run(info: ScriptInfo, /, host: str, port: int, **options: Any) -> None:
    """Replace Flask's own ``run``, whose reloader kills the server instead of stopping it."""
    for option in ("extra_files", "exclude_patterns"):
        if options[option]:
            raise click.UsageError(
                f"--{option.replace('_', '-')} is not supported: "
                f"the reloader watches the Python files in {SOURCES}"
            )
    os.environ.setdefault("SHUTDOWN_DRAIN_SECONDS", "0")
    debug = get_debug_flag()
    reload, debugger = (debug if options[o] is None else options[o] for o in ("reload", "debugger"))
    if reload and is_reloader():
        sys.exit(run_reloader())
    logs.configure(load_settings().log_level, json=False)
    serve(
        info.load_app(),
        host,
        port,
        debugger=debugger,
        threaded=options["with_threads"],
        ssl_context=options["cert"],
    )
