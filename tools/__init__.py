"""What works on the source of this repository, and is no part of a running exchange."""
