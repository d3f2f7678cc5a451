"""`antiphon keys`: keys in the store, made, listed and revoked beside running servers, which notice within seconds."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, get_args

from antiphon.audit import recorded
from antiphon.config.settings import Settings
from antiphon.core.grant import Grant, Limits, StorePolicy, check_name
from antiphon.errors import AntiphonError, SetupError
from antiphon.ports import StoredKey
from antiphon.service.key_times import read_moment_or_period, written_moment
from antiphon.service.keys import Keys
from antiphon.stores.backup import DATABASE
from antiphon.stores.sql import SqlStore

T = TypeVar("T")
Say = Callable[[str], None]
_Row = tuple[str, str, str, str, str, str, str]

LIMITS = {
    "requests_per_minute": "--rpm",
    "tokens_per_minute": "--tpm",
    "requests_per_hour": "--rph",
    "tokens_per_hour": "--tph",
    "concurrent": "--concurrent",
    "background": "--background",
    "daily_tokens": "--daily-tokens",
    "monthly_tokens": "--monthly-tokens",
}
"""The flag of each limit."""


def add_verbs(command: argparse.ArgumentParser, add_settings: Callable[[argparse.ArgumentParser], None]) -> None:
    """The verbs of `antiphon keys`; each sets `act`."""
    verbs = command.add_subparsers(title="verbs", metavar="VERB", required=True)

    def add(name: str, about: str, act: Callable[[argparse.Namespace, Settings, Say], None]) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=about[0].lower() + about[1:].rstrip("."), description=about)
        verb.set_defaults(act=act)
        add_settings(verb)
        return verb

    adding = add("add", "Make a key and print it, this once.", _add)
    adding.add_argument("name", metavar="NAME", help="what to call it")
    adding.add_argument("--tenant", default="default", metavar="NAME", help="whose data it reaches (default: default)")
    adding.add_argument("--models", metavar="A,B", help="the only models it may use")
    adding.add_argument(
        "--store", dest="policy", choices=get_args(StorePolicy), default="allow", help="whether what it makes is stored"
    )
    adding.add_argument("--expires", metavar="WHEN", help="30d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z")
    for name, flag in LIMITS.items():
        adding.add_argument(flag, dest=name, type=_count, metavar="N", help=f"limit: {name.replace('_', ' ')}")
    add("list", "List the keys, without their values.", _list)
    revoking = add("revoke", "Revoke a key for good; servers notice within seconds.", _revoke)
    revoking.add_argument("key", metavar="NAME|ID", help="the key's name or id")


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Do what the arguments ask for. Raises: SetupError."""
    if settings.store != "sqlite":
        raise SetupError(f"keys are kept in the SQLite store, and the store is {settings.store}; use --keys-file")
    arguments.act(arguments, settings, say)


def _add(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    now = time.time()
    models = tuple(filter(None, (arguments.models or "").split(","))) or None
    limits = Limits(**{name: getattr(arguments, name) for name in LIMITS})
    try:
        expires_at = read_moment_or_period(arguments.expires, now) if arguments.expires else None
        grant = Grant(tenant=check_name(arguments.tenant), models=models, store=arguments.policy, limits=limits)
        name = check_name(arguments.name)
    except ValueError as error:
        raise SetupError(str(error)) from None
    if expires_at is not None and expires_at <= now:
        raise SetupError(f"--expires: {arguments.expires} is over already")
    with recorded(settings.audit_file, "keys.add", key=name, tenant=grant.tenant) as told:
        kept, key = _with_keys(settings, lambda keys: keys.add(name, grant, expires_at=expires_at))
        told["key_id"] = kept.id
    print(f"Made {kept.id} ({kept.name}) of tenant {grant.tenant}; the key is shown only now:", file=sys.stderr)
    say(key)


def _list(_: argparse.Namespace, settings: Settings, say: Say) -> None:
    now = time.time()
    rows: list[_Row] = [("NAME", "TENANT", "STATE", "STORE", "MODELS", "LIMITS", "ID")]
    rows += [_row(key, now) for key in _with_keys(settings, lambda keys: keys.list())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _revoke(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    with recorded(settings.audit_file, "keys.revoke") as told:  # what was given might be the key itself
        key = _with_keys(settings, lambda keys: keys.revoke(arguments.key))
        told |= {"key": key.name, "tenant": key.grant.tenant, "key_id": key.id}
    say(f"Revoked {key.id} ({key.name}).")


def _row(key: StoredKey, now: float) -> _Row:
    limits = [
        f"{flag[2:]}={value}" for name, flag in LIMITS.items() if (value := getattr(key.grant.limits, name)) is not None
    ]
    models = ",".join(key.grant.models) if key.grant.models else "all"
    return key.name, key.grant.tenant, _state(key, now), key.grant.store, models, " ".join(limits) or "none", key.id


def _state(key: StoredKey, now: float) -> str:
    if key.revoked_at is not None:
        return f"revoked {written_moment(key.revoked_at)}"
    if key.expires_at is None:
        return "good"
    return f"{'expired' if key.expires_at <= now else 'good until'} {written_moment(key.expires_at)}"


def _with_keys(settings: Settings, act: Callable[[Keys], Awaitable[T]]) -> T:
    """What `act` makes of the keys of the store. Raises: SetupError."""

    async def open_and_act() -> T:
        store = SqlStore(settings.data_dir / DATABASE)
        await store.start()
        try:
            return await act(Keys(store.keys, clock=time.time))
        except AntiphonError as error:
            raise SetupError(error.message) from error
        finally:
            await store.close()

    return asyncio.run(open_and_act())


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, not '{text}'")
    return int(text)
