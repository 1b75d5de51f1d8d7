"""Importing has no effect, and the lifecycle depends on nothing."""

from __future__ import annotations

import subprocess
import sys

IMPORT_ALL = """
import pkgutil, signal, threading
import {{ cookiecutter.package_name }} as package

def handlers():
    return [signal.getsignal(signum) for signum in sorted(signal.valid_signals())]

before = handlers()
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    __import__(module.name)
assert handlers() == before, "a signal handler was installed"
assert threading.enumerate() == [threading.main_thread()], "a thread was started"
"""

IMPORT_LIFECYCLE = """
import sys
before = set(sys.modules)
import {{ cookiecutter.package_name }}.lifecycle as lifecycle
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
own = {lifecycle.__name__.partition(".")[0], "__mp_main__"}  # the latter is this script
print(*(roots - own - set(sys.stdlib_module_names)))
"""


def run(code: str) -> str:
    """Run *code* in a new process, and return what it prints."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_importing_has_no_side_effect() -> None:
    assert run(IMPORT_ALL) == ""


def test_the_lifecycle_needs_the_standard_library_only() -> None:
    assert run(IMPORT_LIFECYCLE) == ""
