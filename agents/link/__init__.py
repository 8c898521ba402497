"""What goes over the link to the broker: the session, files in both directions, telemetry, round trips measured.

The agent dials; nothing dials the agent but probes. All of it may be cut at any instant and goes on from where it was.
"""
