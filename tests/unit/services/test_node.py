from __future__ import annotations

from pathlib import Path

import pytest

from certuary.errors import ConfigError
from certuary.services.node import node_name, node_path


def test_a_node_keeps_its_name(tmp_path: Path) -> None:
    name = node_name(tmp_path)
    assert len(name) == 16
    assert node_name(tmp_path) == name


def test_two_nodes_have_two_names(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    assert node_name(homes[0]) != node_name(homes[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"node": 7}',
        '{"node": "a/b"}',
        '{"node": ""}',
        '{"node": "%s"}' % ("a" * 33),
    ],
)
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    node_path(tmp_path).write_text(text)
    with pytest.raises(ConfigError, match=r"node\.json is damaged") as refused:
        node_name(tmp_path)
    assert refused.value.rule == "node"
    assert node_path(tmp_path).read_text() == text


def test_a_name_that_cannot_be_kept_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        node_name(tmp_path / "missing")
