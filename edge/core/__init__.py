"""What a device that lives alone decides: its modes. Pure; the agent's core decides the work itself."""
