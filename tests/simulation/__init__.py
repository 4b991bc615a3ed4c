"""All parts on one thread, over fake network, disk and clock, from a seed."""
