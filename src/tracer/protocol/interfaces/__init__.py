"""The parts of an event, one module each.

`repair_*` makes the wire shape out of any JSON value and notes what it changed; `finish_*` turns
the wire shape into the stored one, in place.
"""
