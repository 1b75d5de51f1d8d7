"""Production: ``gunicorn`` reads this file; ``gunicorn other:app`` does too.

Every deadline derives from one budget, see "How this service stops" in the README.
"""

from pathlib import Path

from {{ cookiecutter.package_name }} import logs
from {{ cookiecutter.package_name }}.serving import (
    child_exit,
    on_exit,
    post_fork,
    pre_fork,
    when_ready,
)
from {{ cookiecutter.package_name }}.settings import THREADS, load_settings
from {{ cookiecutter.package_name }}.worker import (
    post_worker_init,
    worker_class,
    worker_exit,
)

__all__ = [
    "child_exit",
    "on_exit",
    "post_fork",
    "post_worker_init",
    "pre_fork",
    "when_ready",
    "worker_class",
    "worker_exit",
]

settings = load_settings()
logs.configure_structlog()

wsgi_app = "{{ cookiecutter.package_name }}.app:create_app()"
host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = f"{host}:{settings.port}"
workers = settings.web_concurrency
threads = THREADS

# Longer than load balancers keep an idle connection, so that they close it first, not we.
keepalive = 75
# The last resort: every worker ends by itself before this.
graceful_timeout = settings.budget.kill_after
# A worker that stops without a signal shows no sign of life meanwhile.
timeout = max(30, graceful_timeout)

logconfig_dict = logs.config(settings.log_level, json=True)

# The heartbeat file belongs in memory: on a slow disk it can block a worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# A thread and a socket in the master that nothing here uses.
control_socket_disable = True
