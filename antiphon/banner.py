"""What a server says when it is up: where it is, and what to try next."""

import shlex
import textwrap
import urllib.request
from collections.abc import Sequence
from urllib.parse import urlsplit

from antiphon.build import version_text
from antiphon.config.settings import Settings

_WIDTH = 100
WAYS = {
    "embedded": ("antiphon serve", "the built-in model, in this process (after: antiphon setup)"),
    "upstream": (
        "antiphon serve --engine http://127.0.0.1:8000/v1",
        "in front of vLLM or any chat-completions server",
    ),
    "scripted": ("antiphon serve --engine scripted", "predictable answers without a model, for testing clients"),
}


def banner(settings: Settings, origin: str, models: Sequence[str], limits: str | None, *, asks: bool) -> str:
    """The text for a terminal. `models` is what is served; `limits` says what the model in use cannot do.

    `asks`: clients need a key.

    Code stands at the left margin: it works as pasted.
    """
    model = settings.default_model or next(iter(models), "MODEL")
    parts = [
        f"Antiphon {version_text()} is ready at {origin}/v1 (model: {', '.join(models) or 'none yet'}).",
        f"Try a streamed answer:\n\n{curl_line(origin, model, asks=asks)}",
        f"Or with the official SDK (pip install openai):\n\n{sdk_lines(origin, model, asks=asks)}",
        *([textwrap.fill(limits, width=_WIDTH)] if limits else []),
        f"Other ways to run:\n\n{other_ways(way_of(settings))}",
        "Stop with Ctrl-C. All settings: antiphon serve --help",
    ]
    return "\n\n".join(parts) + "\n"


def curl_line(origin: str, model: str, *, asks: bool) -> str:
    """A command that streams one answer."""
    key = ' -H "Authorization: Bearer $ANTIPHON_API_KEY"' if asks else ""
    body = f'{{"model": "{model}", "input": "Name three colours.", "stream": true}}'
    return (
        f"curl --noproxy '*' -N {origin}/v1/responses{key} -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def sdk_lines(origin: str, model: str, *, asks: bool) -> str:
    """Python code that streams one answer through the official SDK."""
    key = 'os.environ["ANTIPHON_API_KEY"]' if asks else '"none"'
    names, direct = "OpenAI", ""
    if _goes_through_a_proxy(origin):
        names, direct = "DefaultHttpxClient, OpenAI", ", http_client=DefaultHttpxClient(trust_env=False)"
    lines = [
        f"from openai import {names}",
        f'client = OpenAI(base_url="{origin}/v1", api_key={key}{direct})',
        f'for event in client.responses.create(model="{model}", input="Name three colours.", stream=True):',
        '    if event.type == "response.output_text.delta":',
        '        print(event.delta, end="", flush=True)',
    ]
    return "\n".join(["import os", *lines] if asks else lines)


def way_of(settings: Settings) -> str:
    """Which of the three ways to run these settings choose."""
    return "upstream" if settings.upstream_urls or settings.engine == "upstreams" else settings.engine


def other_ways(way: str) -> str:
    """The commands of the ways to run that are not `way`."""
    others = [row for name, row in WAYS.items() if name != way]
    width = max(len(command) for command, _ in others)
    return "\n".join(f"{command:<{width}}   {what}" for command, what in others)


def _goes_through_a_proxy(origin: str) -> bool:
    """Whether an HTTP client that obeys the environment would send requests for `origin` to a proxy."""
    proxies = urllib.request.getproxies()
    through = "http" in proxies or "all" in proxies
    return through and not urllib.request.proxy_bypass(urlsplit(origin).hostname or "")
