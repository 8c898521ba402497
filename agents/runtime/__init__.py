"""The agent's loops: one tender per task, and the site that the link's session speaks for."""
