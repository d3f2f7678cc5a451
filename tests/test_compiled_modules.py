"""The modules that `make wheel` compiles can be compiled, and mean the same then."""

import ast
import builtins
import importlib
import inspect
import os
import tomllib
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from msgspec import Struct

from antiphon import __version__
from antiphon.build import is_compiled, version_text

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOK = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
LISTED: list[str] = HOOK["include"]
COMPILED_HERE = "ANTIPHON_TEST_COMPILED" in os.environ  # `make test-compiled` says so


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def classes_of(path: str) -> Iterator[type]:
    """The classes that a module defines itself, not those that it imports."""
    name = module_of(path)
    for value in vars(importlib.import_module(name)).values():
        if inspect.isclass(value) and value.__module__ == name:
            yield value


def test_the_list_is_sorted_and_off_unless_asked_for() -> None:
    assert sorted(set(LISTED)) == LISTED
    assert HOOK["enable-by-default"] is False


@pytest.mark.parametrize("path", LISTED)
def test_a_compiled_module_defines_no_struct_and_no_subclass_of_a_builtin(path: str) -> None:
    """Compiled, the class keywords of a struct are dropped without a word, and a builtin's layout is not inherited."""
    for one in classes_of(path):
        assert not issubclass(one, Struct), f"{one}: move the struct to a module that is not compiled"
        layouts = [base for base in one.__mro__[1:] if base.__module__ == builtins.__name__ and base is not object]
        assert is_typed_dict(one) or all(issubclass(base, BaseException) for base in layouts), one


@pytest.mark.parametrize("path", LISTED)
def test_an_exception_of_a_compiled_module_has_no_attributes_of_its_class(path: str) -> None:
    """Compiled, an exception whose class has one does not have it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    raised = {one.__name__ for one in classes_of(path) if issubclass(one, BaseException)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in raised:
            assert not any(isinstance(each, ast.Assign | ast.AnnAssign) for each in node.body), node.name


@pytest.mark.parametrize("path", LISTED)
def test_a_compiled_module_has_no_async_generator(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and yields(node)]
    assert not found, f"{path}: write {found} as an iterator class, or in a module that is not compiled"


@pytest.mark.parametrize("path", LISTED)
def test_a_compiled_module_gathers_lists(path: str) -> None:
    """For arguments one by one the types of `asyncio.gather` promise a tuple; it gives a list, there a TypeError."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    gathers = [call for call in calls if ast.unparse(call.func).endswith("gather")]
    assert all(isinstance(argument, ast.Starred) for call in gathers for argument in call.args)


def test_no_interpreted_class_derives_from_a_compiled_one() -> None:
    """It would be a TypeError where the first one is made."""
    listed = {module_of(path) for path in LISTED}
    for file in (ROOT / "antiphon").rglob("*.py"):
        if str(file.relative_to(ROOT)) in LISTED:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        compiled = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in listed
            for alias in node.names
        }
        bases = {ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
        assert not bases & compiled, f"{file}: compile it too"


@pytest.mark.parametrize("path", LISTED)
def test_the_modules_that_run_are_the_ones_that_should(path: str) -> None:
    """Machine code where this run is about it; else the source, which a stray extension module would hide."""
    found = str(importlib.import_module(module_of(path)).__file__)
    assert found.endswith(tuple(EXTENSION_SUFFIXES)) is COMPILED_HERE, found
    assert Path(found).is_relative_to(ROOT)


def test_the_version_says_whether_it_runs_compiled() -> None:
    assert is_compiled() is COMPILED_HERE
    assert version_text() == (f"{__version__} (compiled)" if COMPILED_HERE else __version__)


def yields(function: ast.AsyncFunctionDef) -> bool:
    """Whether it is a generator by a `yield` of its own, not of a function inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def is_typed_dict(one: type) -> bool:
    return hasattr(one, "__required_keys__")
