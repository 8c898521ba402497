"""The wire: nouns to messages and back, errors to statuses and back, channels with the house's limits."""
