"""Who sends a request, and what it may do: signatures of API keys (`AUTH=on`)."""
