"""A server that was started with a low limit of open files."""

import subprocess
import sys
from pathlib import Path

from tests.command import environment

CODE = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
from antiphon.listener import raise_file_limit
raise_file_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
"""


def test_as_many_files_may_be_open_as_the_system_allows(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], env=environment(), cwd=tmp_path, timeout=30)
    assert ended.returncode == 0
