"""Mutation spot checks: `make mutation`."""
