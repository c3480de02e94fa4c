"""The documentation says what the code does: settings, limits, commands, errors, dependencies, links."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

from certuary.cli.main import app
from certuary.core.refusals import EXPLANATIONS
from certuary.server import limits
from certuary.server.bounded_http import PORTAL, STATUS
from certuary.server.config import Settings
from tests.unit.error_rules import rules_in

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "certuary"
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))

# Answered where no exception of ours was raised.
RULES_WITHOUT_A_CLASS = {"internal-error"}

Command = Any  # typer's own name for what `get_command` gives is private


def rows(page: Path, heading: str | None = None) -> dict[str, list[str]]:
    """The tables' rows under a heading, or in the whole page: cells by the first one, if that is `code`."""
    lines = page.read_text().splitlines()
    if heading is not None:
        lines = lines[lines.index(heading) + 1 :]
        lines = list(takewhile(lambda line: not line.startswith("## "), lines))
    found: dict[str, list[str]] = {}
    columns = 0
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        columns = (columns or len(cells)) if line.startswith("|") else 0
        if line.startswith("| `"):
            assert len(cells) == columns, f"{page.name}: {cells[0]} has another number of cells than the head"
            assert cells[0] not in found, f"{page.name}: {cells[0]} stands there twice"
            found[cells[0].strip("`")] = cells[1:]
    return found


def commands() -> dict[str, Command]:
    """Every command by its full name, such as `application add`."""
    return dict(_leaves("", typer.main.get_command(app)))


def _leaves(prefix: str, command: Command) -> Iterator[tuple[str, Command]]:
    if not hasattr(command, "commands"):
        yield prefix, command
        return
    for name, child in command.commands.items():
        yield from _leaves(f"{prefix} {name}".strip(), child)


def options(command: Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


# Settings


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {
        name: cells[0].strip("`") for name, cells in rows(DOCS / "configuration.md", "## Settings").items()
    }
    known: dict[str, Any] = {known.name: known for known in fields(Settings) if known.name != "home"}
    assert set(documented) == set(known)
    for name, text in documented.items():
        default = known[name].default
        if default is MISSING:
            default = known[name].default_factory()
        written = [str(item) for item in default] if isinstance(default, tuple) else default
        assert tomllib.loads(f"value = {text}")["value"] == written, name


def test_every_flag_of_a_setting_exists_and_is_documented() -> None:
    documented = rows(DOCS / "configuration.md", "## Settings")
    flags = options(commands()["init"]) | options(commands()["serve"])
    for name, cells in documented.items():
        flag = "--" + name.replace("_", "-").removesuffix("s" if name == "hostnames" else "")
        assert (cells[1] == f"`{flag}`") == (flag in flags), name


def test_every_variable_of_the_environment_is_documented() -> None:
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    settings = {f"CERTUARY_{known.name.upper()}" for known in fields(Settings)} - {"CERTUARY_HOME"}
    read = set(re.findall(r'"(CERTUARY_[A-Z_]*[A-Z])"', source)) - settings
    assert set(rows(DOCS / "configuration.md", "## Environment only")) == read


def test_every_limit_is_documented_with_its_value() -> None:
    documented = rows(DOCS / "configuration.md", "## Limits of the EST listener")
    known = {name.lower(): value for name, value in vars(limits).items() if name.isupper()}
    assert {name: float(cells[0]) for name, cells in documented.items()} == known


def test_every_bound_of_the_other_listeners_is_documented_with_its_value() -> None:
    documented = rows(DOCS / "configuration.md", "## Limits of the status listener and of the portal")
    for column, bounds in enumerate((STATUS, PORTAL)):
        assert {name: float(cells[column]) for name, cells in documented.items()} == asdict(bounds)


# Commands


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    missing = {
        f"certuary {name}": undocumented
        for name, command in commands().items()
        if (undocumented := {option for option in options(command) if option not in text})
        or f"certuary {name}" not in text
    }
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    known = commands()
    for noun, rest in re.findall(r"(?m)(?:^|`|\$ )certuary ((?:[a-z-]+ ?){1,3})([^`\n]*)", page.read_text()):
        words = noun.split()
        name = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in known), None)
        is_group = any(command.startswith(f"{words[0]} ") for command in known)
        assert name or (is_group and len(words) == 1), f"{page.name}: certuary {noun}"
        shown = set(re.findall(r"--[a-z][a-z-]+", rest))
        assert not name or shown <= options(known[name]) | {"--help"}, f"{page.name}: certuary {noun}{rest}"


# Errors


def test_every_error_rule_is_documented() -> None:
    documented = set(rows(DOCS / "errors.md")) | set(rows(DOCS / "keys.md"))
    missing = {rule: where for rule, where in rules_in(SOURCE).items() if rule not in documented}
    assert not missing


def test_every_documented_error_rule_exists() -> None:
    known = set(rules_in(SOURCE)) | RULES_WITHOUT_A_CLASS
    assert set(rows(DOCS / "errors.md")) <= known


# Dependencies


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ]", name)[0]).lower()


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = {_normal(name) for name in project["project"]["dependencies"]}
    direct |= {_normal(name) for name in project["project"]["optional-dependencies"]["dev"]}
    direct |= {_normal(name) for name in project["build-system"]["requires"]}
    text = (DOCS / "dependencies.md").read_text()
    explained = {
        _normal(name)
        for line in text.splitlines()
        if line.startswith("| ")
        for name in line.split("|")[1].split(",")
        for name in [name.strip()]
    }
    assert direct <= explained


def test_everything_that_is_installed_is_named_with_its_licence() -> None:
    locked = re.findall(r"(?m)^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text())
    packages = (ROOT / "THIRD_PARTY.md").read_text().partition("\n## ")[0]
    named = re.findall(r"(?m)^\| \[([a-z0-9._-]+)\]", packages)
    assert named == sorted(locked)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_registry_and_pins_with_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"(?m)^-|://", text)
    for pinned in re.findall(r"(?m)^[a-z0-9._-]+==.*", text):
        assert pinned.endswith("\\"), pinned


# Links


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "THIRD_PARTY.md"], ids=lambda page: page.name
)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


# Security


def test_every_test_that_the_security_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", (DOCS / "security.md").read_text())
    found = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    assert named
    for file, test in named:
        assert file in found, file
        assert f"def {test}(" in found[file] or not test, f"{file}::{test}"


def test_the_security_page_answers_each_requirement_once() -> None:
    answered = re.findall(r"(?m)^\| (\d+\.\d+\.\d+) \|", (DOCS / "security.md").read_text())
    assert len(answered) == 254  # so that none gets lost
    assert len(answered) == len(set(answered))


def test_every_refusal_of_a_request_is_explained_as_the_documentation_does() -> None:
    """What commands alone are refused with has no page in the portal."""
    documented = {name: cells[-1] for name, cells in rows(DOCS / "errors.md").items()}
    documented |= {name: cells[0] for name, cells in rows(DOCS / "keys.md").items() if name not in documented}
    for name, explanation in EXPLANATIONS.items():
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", documented[name]).replace("`", "")
        assert explanation.means == plain, name
    refusals = rows(DOCS / "errors.md", "## 403: known, but not for this (exit 77)")
    rules_of_keys = set(rows(DOCS / "keys.md")) & set(rules_in(SOURCE))
    # What the portal and its API alone are refused with is said there.
    of_the_portal = {"two-persons", "first-password", "signature-required", "signature-refused"}
    assert set(refusals) - of_the_portal | rules_of_keys <= set(EXPLANATIONS)
