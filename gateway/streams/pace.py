"""The pace of a stream: how often it sends, by what a sending costs. No I/O.

A `StreamPace` measures the processor time of a sending, and waits a multiple of that cost before
the next one: a stream takes a fixed share of the processor, whatever the number of its clients.
Changes in the meantime are conflated, so a larger crowd gets fewer and larger updates.
"""


class StreamPace:
    """When the next sending may begin: `factor` times the cost of the last one after that began,
    within `least_ns` and `most_ns`, but never before half as much time again as it cost has passed.

    `slack_ns` of waiting that was not used may be used later: a few sendings close together do not
    wait.

    >>> pace = StreamPace(least_ns=50, most_ns=100, factor=3)
    >>> pace.sent(begun_ns=1_000, cost_ns=20)
    >>> pace.free_ns
    1060
    """

    def __init__(self, least_ns: int, most_ns: int, factor: int, slack_ns: int = 0) -> None:
        self._least_ns = least_ns
        self._most_ns = most_ns
        self._factor = factor
        self._slack_ns = slack_ns
        self.free_ns = 0

    def sent(self, begun_ns: int, cost_ns: int) -> None:
        """Count a sending that cost so much, the kernel's part included."""
        wait_ns = max(self._least_ns, min(self._factor * cost_ns, self._most_ns))
        wait_ns = max(wait_ns, cost_ns + cost_ns // 2)
        # A sending before `free_ns` (together with something else) costs no further waiting.
        free_ns = min(max(self.free_ns, begun_ns - self._slack_ns), begun_ns)
        self.free_ns = free_ns + wait_ns
