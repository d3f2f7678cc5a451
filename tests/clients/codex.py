"""Codex CLI, unmodified, with the configuration of its example."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.clients.installation import EXAMPLES, install_node
from tests.clients.serving import KEY, Meeting

RUN_S = 60.0
# What is run is prescribed by the test, and not every machine can make Codex's sandbox.
EXEC = ("exec", "--json", "--skip-git-repo-check", "--sandbox", "danger-full-access")


class Codex(Struct, frozen=True, kw_only=True):
    """A user of Codex in `home`, whose work is in `home/work`."""

    home: Path
    server: Meeting
    model: str
    websocket: bool
    base_url: str | None = None  # where it is not the server's own

    @property
    def work(self) -> Path:
        return self.home / "work"

    def run(self, prompt: str, *arguments: str) -> list[dict[str, Any]]:
        """The items of one turn, each as it ended; the turn must end well."""
        program = install_node("codex") / "node_modules" / ".bin" / "codex"
        done = subprocess.run(
            [str(program), *EXEC, *self._changes(), *arguments, prompt],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "CODEX_HOME": str(self.home),
                "NO_PROXY": "*",
                "ANTIPHON_API_KEY": KEY,
            },
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (done.stderr, events)
        assert events[-1]["type"] == "turn.completed", events
        ended = [event["item"] for event in events if event["type"] == "item.completed"]
        return [item for item in ended if not _is_about_the_name(item)]

    def _changes(self) -> list[str]:
        """What a test changes in the example's configuration, as flags."""
        changes = {
            "model": self.model,
            "model_providers.antiphon.base_url": self.base_url or self.server.live.base_url,
            "model_providers.antiphon.supports_websockets": self.websocket,
            "mcp_servers.weather.command": sys.executable,
            "mcp_servers.weather.args": [str(EXAMPLES / "codex" / "weather.py")],
        }
        return [word for name, value in changes.items() for word in ("-c", f"{name}={json.dumps(value)}")]


def _is_about_the_name(item: dict[str, Any]) -> bool:
    """Codex warns of a model that it does not know."""
    return item["type"] == "error" and "Model metadata" in item["message"]
