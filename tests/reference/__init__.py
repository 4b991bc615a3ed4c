"""The pages of docs/reference/ agree with the code."""
