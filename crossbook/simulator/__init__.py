"""A seeded market: agents whose order flow depends on the seed and the exchange's answers only.

`chance`, `fundamental`, `market`, `strategy`, `makers`, `traders`, `flow` and `statistics` are
pure: no clock, no socket, no library generator, and no arithmetic that two machines could round
differently. `runner` sends their requests and returns the exchange's answers, in lock-step.
"""
