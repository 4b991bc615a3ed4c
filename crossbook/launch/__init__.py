"""Starting an exchange: its processes, where they are, and how they begin and end."""
