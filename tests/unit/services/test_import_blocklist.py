from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from certuary.core.blocklist import EMPTY
from certuary.errors import ConfigError, InvalidValue
from certuary.services.blocklist_file import BlocklistFile, blocklist_path, load_blocklist, replace_blocklist
from certuary.services.import_blocklist import BlocklistImported, import_blocklist


def digest(number: int) -> bytes:
    return hashlib.sha256(bytes((number,))).digest()


def plain(path: Path, *numbers: int) -> Path:
    path.write_text("# weak keys\n" + "".join(f"{digest(number).hex()}\n" for number in numbers))
    return path


def binary(path: Path, *numbers: int) -> Path:
    path.write_bytes(b"".join(sorted(digest(number)[:15] + b"\x02" for number in numbers)))
    return path


def test_without_a_file_the_blocklist_is_empty(tmp_path: Path) -> None:
    assert load_blocklist(tmp_path) is EMPTY


def test_import_blocklist_reads_a_plain_list(tmp_path: Path) -> None:
    answer = import_blocklist(tmp_path, plain(tmp_path / "weak.txt", 3, 1, 2))
    assert answer == BlocklistImported(added=3, total=3)
    blocklist = load_blocklist(tmp_path)
    assert [blocklist.contains(digest(number)) for number in range(5)] == [False, True, True, True, False]


def test_import_blocklist_reads_the_binary_list_of_badkeys(tmp_path: Path) -> None:
    assert import_blocklist(tmp_path, binary(tmp_path / "blocklist.dat", 1, 2)).total == 2
    assert load_blocklist(tmp_path).contains(digest(1))
    assert blocklist_path(tmp_path).read_bytes() == (tmp_path / "blocklist.dat").read_bytes()


def test_import_blocklist_adds_to_what_is_there_and_counts_what_is_new(tmp_path: Path) -> None:
    import_blocklist(tmp_path, binary(tmp_path / "a", 1, 2))
    answer = import_blocklist(tmp_path, plain(tmp_path / "b", 2, 3))
    assert answer == BlocklistImported(added=1, total=3)
    assert all(load_blocklist(tmp_path).contains(digest(number)) for number in (1, 2, 3))


BAD_FILES = {
    "nothing": (b"", "empty"),
    "no hashes": (b"hello\n", "line 1"),
    "binary junk": (bytes(range(255, 239, -1)) * 3 + bytes(16), "sorted"),
    "a cut-off list": (b"\x00" * 17, "16 octets"),
    "a compressed list": (b"\xfd7zXZ\x00 and so on", "xz -dk"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_import_blocklist_refuses_a_file_with_and_keeps_the_old_list(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    import_blocklist(tmp_path, plain(tmp_path / "good", 1))
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InvalidValue, match=reason):
        import_blocklist(tmp_path, tmp_path / "bad")
    assert load_blocklist(tmp_path).contains(digest(1))
    assert list(blocklist_path(tmp_path).parent.iterdir()) == [blocklist_path(tmp_path)]


def test_import_blocklist_says_when_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="No such file"):
        import_blocklist(tmp_path, tmp_path / "nowhere")


def test_a_damaged_file_is_a_configuration_error_that_names_it(tmp_path: Path) -> None:
    replace_blocklist(tmp_path, [b"too short"])
    with pytest.raises(ConfigError, match=r"blocklist\.dat.*import the blocklist again"):
        load_blocklist(tmp_path)


def test_a_list_that_is_damaged_later_leaves_the_last_one_in_force_and_is_reported(tmp_path: Path) -> None:
    import_blocklist(tmp_path, plain(tmp_path / "a", 1))
    file = BlocklistFile(tmp_path)
    replace_blocklist(tmp_path, [b"too short"])
    assert file.current().contains(digest(1))
    assert "import the blocklist again" in (file.problem or "")
    blocklist_path(tmp_path).unlink()
    assert file.current() is EMPTY
    assert file.problem is None


def test_an_empty_file_is_an_empty_blocklist(tmp_path: Path) -> None:
    assert replace_blocklist(tmp_path, []) == 0
    assert len(load_blocklist(tmp_path)) == 0


def test_a_process_takes_up_a_new_list_by_itself(tmp_path: Path) -> None:
    file = BlocklistFile(tmp_path)
    assert file.current() is EMPTY
    import_blocklist(tmp_path, plain(tmp_path / "a", 1))
    first = file.current()
    assert first.contains(digest(1))
    assert file.current() is first
    import_blocklist(tmp_path, plain(tmp_path / "b", 2))
    assert file.current().contains(digest(2))
    assert first.contains(digest(1)), "a list that is in use stays readable"
    blocklist_path(tmp_path).unlink()
    assert file.current() is EMPTY
