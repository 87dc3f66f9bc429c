"""Second factors: authenticator apps, passkeys, recovery codes, remembered devices, step-up."""
