"""Files by digest on this machine: models and packed code, verified before they count, resumable while they come."""

from agents.cache.cache import ContentCache

__all__ = ["ContentCache"]
