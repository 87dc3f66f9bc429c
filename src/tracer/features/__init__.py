"""The ring: features that stand beside each other and never see one another."""
