"""A seeded market: agents whose order flow depends on the seed and the exchange's answers only.

All modules but `display` and `runner` are pure: no clock, no socket, no library generator, and no
arithmetic that two machines could round differently. `agent` is the class to derive agents of
one's own from, `flow` all agents of a market. `runner` sends their requests to an exchange and
returns its answers, in lock-step; `venue` applies them to an engine in this process.
"""
