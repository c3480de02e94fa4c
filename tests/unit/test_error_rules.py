"""The reader of error rules sees every way in which our code hands one over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.error_rules import UnreadableRule, rules_in

SAMPLE = """
CONSTANT = "by-constant"
TABLE: tuple[tuple[str, str], ...] = (("by-table", "why"),)

class Refused(Exception):
    rule = "by-class"

def plain(bad):
    raise Refused("no", rule="by-text" if bad else "by-choice")

def constant():
    raise Refused("no", rule=CONSTANT)

def elsewhere():
    raise Refused("no", rule=other.FURTHER)

def loop():
    for rule, why in TABLE:
        raise Refused(why, rule=rule)

def helper(detail, rule="by-default"):
    return Refused(detail, rule=rule)

def caller():
    raise helper("no", "by-helper")

def another_caller():
    raise helper("no")
"""


def test_every_way_to_name_a_rule_is_read(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE)
    (tmp_path / "other.py").write_text('FURTHER = "by-module"\n')
    assert set(rules_in(tmp_path)) == {
        "by-class", "by-text", "by-choice", "by-constant", "by-module", "by-table", "by-helper", "by-default",
    }  # fmt: skip


def test_a_rule_made_up_at_run_time_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text('def refuse(name):\n    raise Refused("no", rule=f"bad-{name}")\n')
    with pytest.raises(UnreadableRule):
        rules_in(tmp_path)
