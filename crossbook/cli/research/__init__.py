"""Commands about what an exchange stored: `export`, `record`, `rerun`."""
