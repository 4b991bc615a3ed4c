"""The recorder: the matcher's events in a database, and answers about the past."""
