"""Journals as each version of the format wrote them, with the state they lead to."""
