"""The nouns: frozen records of whole numbers, with no behaviour but arithmetic and validity.

They are pure: no I/O, no clock, no randomness. Every noun has a protobuf message of the same name and the same
fields (`protos/tidegate/v1/`), so one reflective codec carries them all (`tidegate.wire.codec`).
"""
