"""Journals as each format version wrote them, with the state they lead to."""
