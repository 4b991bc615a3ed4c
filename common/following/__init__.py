"""Followers of the matcher's events and of the public feed, and the books they keep."""
