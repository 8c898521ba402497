"""What several tests share: waiting on a condition, and simulated components behind the real interfaces."""
