"""Tests of the quota arithmetic."""
