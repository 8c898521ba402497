"""The broker's runtime: the single-writer loop, the sessions of agents, timers, and the one clock."""
