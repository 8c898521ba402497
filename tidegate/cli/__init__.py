"""The command line: one file per verb, an SDK client like any other; only `render` prints."""
