"""Every message between processes, one module a family, and the codec."""
