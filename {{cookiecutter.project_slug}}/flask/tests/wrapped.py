"""The service with middleware: ``gunicorn tests.wrapped:inside``."""

from __future__ import annotations

from werkzeug.middleware.proxy_fix import ProxyFix

from {{ cookiecutter.package_name }}.app import create_app

inside = create_app()
inside.wsgi_app = ProxyFix(inside.wsgi_app)  # type: ignore[method-assign]

outside = ProxyFix(create_app())
