"""The gateway's questions to the recorders, and their answers."""
