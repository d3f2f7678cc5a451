"""A process among several that serve one port: what it is told by its supervisor, and what it tells.

Its arguments are those of `antiphon serve` behind one of its own, a `WorkerPlace`. On its channel it says one line of
JSON: that it is ready, or why it cannot be.
"""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from antiphon import assembly
from antiphon.config.flags import add_flags
from antiphon.config.settings import Settings
from antiphon.config.sources import load_given
from antiphon.errors import SetupError


class WorkerPlace(Struct, frozen=True, kw_only=True):
    """File descriptors of the socket to accept from and of the channel, and the directory of everybody's figures."""

    listening: int
    channel: int
    index: int
    folder: str


class Ready(Struct, frozen=True, tag=True):
    """The worker accepts connections; `banner` is what a server of one process would print."""

    banner: str


class Error(Struct, frozen=True, tag=True):
    """The worker cannot start."""

    text: str


Message = Ready | Error

_decode = msgspec.json.Decoder(Message).decode


def read_messages(received: bytes) -> tuple[list[Message], bytes]:
    """The messages in what a channel has brought, and the beginning of the next one."""
    *lines, rest = received.split(b"\n")
    return [_decode(line) for line in lines], rest


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; the exit code."""
    given = sys.argv[1:] if argv is None else argv
    place = msgspec.json.decode(given[0], type=WorkerPlace)
    with socket.socket(fileno=place.channel) as channel, socket.socket(fileno=place.listening) as listening:
        for each in (channel, listening):
            each.set_inheritable(False)
        try:
            _serve(place, channel, listening, given[1:])
        except SetupError as error:
            _tell(channel, Error(str(error)))
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def _serve(place: WorkerPlace, channel: socket.socket, listening: socket.socket, flags: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    arguments = parser.parse_args(flags)

    def read_settings() -> Settings:
        return load_given(arguments).settings

    def say(banner: str) -> None:
        _tell(channel, Ready(banner))
        channel.setblocking(False)
        asyncio.get_running_loop().add_reader(channel, _stop)

    def _stop() -> None:
        """The supervisor is gone: nobody else would tell us."""
        asyncio.get_running_loop().remove_reader(channel)
        signal.raise_signal(signal.SIGTERM)

    among = assembly.Among(listening=listening, folder=Path(place.folder), index=place.index, say=say)
    assembly.run(read_settings(), read_settings, among)


def _tell(channel: socket.socket, message: Message) -> None:
    channel.sendall(msgspec.json.encode(message) + b"\n")
