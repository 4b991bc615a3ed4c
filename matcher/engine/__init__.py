"""The venue: its state, the dispatch of commands, and a module for each family of rules."""
