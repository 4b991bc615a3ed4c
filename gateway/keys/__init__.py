"""API keys in a gateway: the table of those that the venue has now."""
