"""The tools of the project: what they write is what they say."""
