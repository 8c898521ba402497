"""HiGHS as it is used here: silent, on one thread, from one seed, so that the same programme has the same answer."""

import highspy

OPTIONS = (("threads", 1), ("random_seed", 0))


class Highs(highspy.Highs):
    """A solver. Whoever makes it may bound its time: option `time_limit`, in seconds."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for name, value in OPTIONS:
            self.setOptionValue(name, value)

    def enableCallbacks(self) -> None:
        """The last step of the library's constructor, which prints its banner on standard output unless told not to."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]
