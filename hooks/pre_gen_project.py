"""Refuse answers that cannot become a working project.

Runs before the first file is written. The answers arrive as JSON, as data and never
as code. Everything below them is kept from the template engine by `raw`.
"""

import json
import keyword
import re
import sys
import unicodedata
from typing import Any, NoReturn

# JSON never holds three quotation marks in a row, so no answer can end this string.
ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
# {% raw %}

LONGEST = {"project_name": 60, "description": 160, "author_name": 80, "author_email": 254}

# What the template engine would take for code the next time the answers are rendered.
TEMPLATE_MARKS = ("{{", "{%", "{#", "#%")

# Line breaks, other control characters, and halves of characters: no file format likes them.
FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}

# The hook may run on another Python than the project: these words and modules are known to
# some version that the project may support, and `test` is left out of Python's own list.
KEYWORDS = {*keyword.kwlist, *keyword.softkwlist, "lazy", "type"}
STANDARD_LIBRARY = sys.stdlib_module_names | set(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils
    imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes profiling smtpd sndhdr spwd
    sunau telnetlib test tomllib uu xdrlib
    """.split()
)

# Folders of the generated project.
PROJECT_FOLDERS = {"docs", "drill", "src", "tests"}

# What a generated project installs or soon may, by import name and by distribution name, hyphens
# written as underscores. A package or a project of the same name would hide the real one.
DEPENDENCIES = set(
    """
    aiosqlite alembic amqp annotated_doc annotated_types anyio asgiref ast_serialize asyncpg
    billiard blinker celery certifi cfgv charset_normalizer click click_didyoumean click_plugins
    click_repl colorama coverage dateutil distlib dns dnspython dotenv editables email_validator
    execnet fastapi fastapi_cli fastapi_cloud_cli fastar filelock flask google
    googleapis_common_protos greenlet gunicorn h11 hatchling httpcore httpcore2 httptools httpx
    httpx2 hypothesis identify idna iniconfig itsdangerous jinja2 kombu librt mako markdown_it
    markdown_it_py markupsafe mdurl multipart mypy mypy_extensions mypyc nodeenv opentelemetry
    opentelemetry_api opentelemetry_exporter_http_transport opentelemetry_exporter_otlp_common
    opentelemetry_exporter_otlp_proto_common opentelemetry_exporter_otlp_proto_http
    opentelemetry_proto opentelemetry_sdk opentelemetry_semantic_conventions packaging pathspec pip
    pkg_resources platformdirs pluggy pre_commit prometheus_client prompt_toolkit protobuf psycopg
    psycopg_binary psycopg_pool py pydantic pydantic_core pydantic_extra_types pydantic_settings
    pygments pytest pytest_asyncio pytest_cov pytest_timeout pytest_xdist python_dateutil
    python_discovery python_dotenv python_multipart pyyaml redis requests rich rich_toolkit rignore
    ruff sentry_sdk setuptools shellingham six sniffio sortedcontainers sqlalchemy sse_starlette
    starlette structlog trio trove_classifiers truststore typer typing_extensions typing_inspection
    tzdata tzlocal urllib3 uv uvicorn uvicorn_worker uvloop vine virtualenv watchdog watchfiles
    wcwidth websocket websockets werkzeug wheel wsproto xdist yaml
    """.split()
)


def refuse(option: str, problem: str) -> NoReturn:
    sys.exit(f"{option} {problem}.")


def check_text(option: str) -> None:
    text = ANSWERS[option]
    if not text.strip():
        refuse(option, "is empty: fill it in")
    if text != text.strip():
        refuse(option, "has spaces before or after it: remove them")
    if len(text) > LONGEST[option]:
        refuse(option, f"is longer than {LONGEST[option]} characters: shorten it")
    if any(unicodedata.category(character) in FORBIDDEN_CATEGORIES for character in text):
        refuse(option, "contains a line break or another control character: remove it")
    for mark in TEMPLATE_MARKS:
        if mark in text:
            refuse(option, f"contains {mark!r}, which means code to the template: remove it")


def check_email() -> None:
    email = ANSWERS["author_email"]
    if not re.fullmatch(r"""[^@\s"<>,;\\]+@[^@\s"<>,;\\]+""", email):
        refuse("author_email", f"must look like you@example.org: change {email!r:.80}")


def check_slug() -> None:
    typed, slug = ANSWERS["__typed_slug"], ANSWERS["project_slug"]
    if typed != slug:
        refuse(
            "project_slug",
            "may have lower-case letters, digits and single hyphens, 60 characters at most: "
            f"change {typed!r:.80} to, for example, {slug!r}",
        )
    if slug.replace("-", "_") in DEPENDENCIES:
        refuse("project_slug", f"is the name of a library, {slug!r}: choose another")


def check_package() -> None:
    name = ANSWERS["package_name"]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        refuse(
            "package_name",
            "must start with a lower-case letter, followed by lower-case letters, digits and "
            f"underscores, 40 characters at most: change {name!r:.80}",
        )
    if name in KEYWORDS:
        refuse("package_name", f"is a word of the Python language, {name!r}: choose another")
    if name in STANDARD_LIBRARY:
        refuse("package_name", f"would hide Python's own module {name!r}: choose another")
    if name in DEPENDENCIES:
        refuse("package_name", f"would hide the library {name!r}: choose another")
    if name in PROJECT_FOLDERS:
        refuse("package_name", f"is a folder of the project already, {name!r}: choose another")


def check_grace_period() -> None:
    seconds = ANSWERS["grace_period_seconds"]
    if not re.fullmatch("[1-9][0-9]{0,3}", seconds) or not 5 <= int(seconds) <= 3600:
        refuse(
            "grace_period_seconds",
            f"must be a whole number from 5 to 3600: change {seconds!r:.80}",
        )


for text_option in LONGEST:
    check_text(text_option)
check_email()
check_slug()
check_package()
check_grace_period()
# {% endraw %}
