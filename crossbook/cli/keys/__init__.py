"""`crossbook keys`: API keys, and key files of CURVE."""
