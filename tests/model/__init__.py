"""The obvious matcher, which the engine must equal event for event.

It is written from the rules, not from the engine, and differs from it in kind wherever a rule
allows: the cost and the fills of an order are found by letting a copy of the market run (the engine
counts along the book), prevention is a table of losses (the engine branches by mode), the uncross
price is the one candidate that every rule in its turn leaves over (the engine sums volumes along
the prices), holds are added up from the open orders (the engine keeps sums), due orders are
searched among all orders (the engine keeps a sorted list), the book is one list by arrival (the
engine keeps queues).

Both share the messages of `common`, the arithmetic of grids, and the check of an instrument's
definition. A comparison does not check these.
"""
