"""Quotas: how much an organization, a project or a key may send. Their rows, rules and writes."""
