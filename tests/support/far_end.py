"""The broker as a spool must be able to count on it, in memory: what came, and what was told to be missing."""

from agents.spool import Gap, Kind, Record


class FarEnd:
    """The broker, as the spool must be able to count on it: it keeps the highest number and wants the next one."""

    def __init__(self) -> None:
        self.high = 0
        self.received: dict[int, Record] = {}
        self.gaps: list[Gap] = []

    def take(self, taken: list[Record]) -> None:
        for record in taken:
            assert record.from_seq <= self.high + 1, f"a silent gap: {self.high} then {record.from_seq}"
            if record.seq <= self.high:
                continue
            if record.kind is Kind.GAP:
                self.gaps.append(record.gap)
            else:
                self.received[record.seq] = record
            self.high = record.seq
