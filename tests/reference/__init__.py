"""docs/reference/ and the code agree."""
