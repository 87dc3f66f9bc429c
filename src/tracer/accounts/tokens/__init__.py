"""Access tokens: JSON Web Tokens, the keys that sign them, and who they belong to."""
