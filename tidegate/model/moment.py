"""Moments and spans as whole numbers. There is no clock here: whoever knows the time passes it in."""

from typing import NewType

Moment = NewType("Moment", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

Millis = NewType("Millis", int)
"""A span of time in milliseconds."""
