"""Organization policies and address lists: stored, tried out, explained. Enforced by `kit`."""
