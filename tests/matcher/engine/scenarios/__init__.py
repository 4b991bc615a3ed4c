"""The market's rules as tables: a name, and one row for each step."""
