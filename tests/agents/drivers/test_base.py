"""What every driver's answers have in common."""

from agents.drivers.base import LogChunk


def read(text: str, most: int) -> list[str]:
    """Cut again and again, as whoever asks on from `next_offset` reads it."""
    data, offset, found = text.encode(), 0, []
    while offset < len(data):
        short = LogChunk(data[offset:].decode(), len(data), True).cut(most)
        assert short.complete == (short.next_offset == len(data))
        assert len(short.text.encode()) <= most
        found.append(short.text)
        offset = short.next_offset
    return found


def test_a_log_is_cut_at_lines_and_within_a_line_that_is_too_long() -> None:
    assert read("one\ntwo\nthree\n", 9) == ["one\ntwo\n", "three\n"]
    assert "".join(read("drei Öfen, vier Ämter\n" * 9, 5)) == "drei Öfen, vier Ämter\n" * 9


def test_what_was_no_text_stays_whole() -> None:
    """How long it is in the file is not known from the text: an offset in it would be a guess."""
    chunk = LogChunk("a\ufffdb" * 10, 30, False)
    assert chunk.cut(5) == chunk
