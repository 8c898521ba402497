"""Services as supervised model server processes of this machine.

Each task has *slots* in its folder, one per configuration it was ever asked to serve; a slot is one server process with
its own remembered ports. `server.py` is one slot, `driver.py` the driver: which slot serves, which one gives way.
"""
