"""Engines behind one contract: `base.Driver`. One package each: `ray`, `kubernetes`, `process`."""
