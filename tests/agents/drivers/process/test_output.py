"""A log within its bound: offsets go on, a follower misses nothing that was there when it looked."""

from pathlib import Path

import pytest

from agents.drivers.base import LOG_CHUNK_BYTES
from agents.drivers.process import output as module
from agents.drivers.process.output import Output


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Output:
    monkeypatch.setattr(module, "LONGEST_BYTES", 100)
    return Output(tmp_path)


def whole(output: Output, offset: int = 0) -> tuple[str, int]:
    text = ""
    while chunk := output.read(offset):
        if not chunk.text:
            return text, chunk.next_offset
        text, offset = text + chunk.text, chunk.next_offset
    raise AssertionError("a chunk is always there")


def test_a_server_goes_on_writing_into_the_file_that_was_cut(output: Output) -> None:
    with output.path.open("ab", buffering=0) as server:
        server.write(b"a" * 99 + b"\n")
        assert not output.too_long
        server.write(b"b\n")
        assert output.too_long
        _, followed = whole(output)
        output.set_aside()
        assert not output.too_long
        server.write(b"c\n")
    assert output.path.read_bytes() == b"c\n"
    assert whole(output, followed) == ("c\n", 104)
    assert whole(output) == ("a" * 99 + "\nb\nc\n", 104)
    assert output.tail() == ("c",)


def test_who_had_not_read_all_when_it_was_set_aside_reads_on_in_the_copy(output: Output) -> None:
    output.path.write_bytes(b"one\ntwo\n")
    output.set_aside()
    output.path.write_bytes(b"three\n")
    assert whole(output, 4) == ("two\nthree\n", 14)


def test_two_files_are_kept_and_who_is_further_behind_begins_with_the_oldest_of_them(output: Output) -> None:
    for text in (b"one\n", b"two\n", b"three\n"):
        output.path.write_bytes(text)
        output.set_aside()
    output.path.write_bytes(b"four\n")
    assert len(list(output.path.parent.iterdir())) == 2
    assert whole(output) == ("three\nfour\n", 19)
    assert whole(output, 1000) == ("three\nfour\n", 19)


def test_a_disk_without_room_costs_the_copy_and_not_the_bound(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.shutil, "copyfile", full)
    output.path.write_bytes(b"x" * 101)
    output.set_aside()
    assert not output.too_long
    assert whole(output, 101) == ("", 0)


def test_a_piece_ends_with_a_whole_line_and_a_longer_line_is_cut(output: Output) -> None:
    line = "wörld" * 20_000 + "\n"
    output.path.write_text(line * 5)
    assert output.read(0).next_offset == 2 * len(line.encode())
    assert whole(output)[0] == line * 5
    output.path.write_text("x" * (LOG_CHUNK_BYTES + 1))
    assert output.read(0).next_offset == LOG_CHUNK_BYTES


def test_what_was_never_written_is_empty(output: Output) -> None:
    assert output.read(0).text == ""
    assert output.tail() == ()
    assert not output.too_long
