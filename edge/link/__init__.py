"""How a device shares its link between what is live and what waited."""
