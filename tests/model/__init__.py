"""The obvious matcher, which the engine must equal event for event.

It is written from the rules, not from the engine, and differs from it in kind wherever a rule
allows: what an order will cost or fill is found by letting a copy of the market run (the engine
counts along the book), prevention is a table of losses (the engine branches by mode), the uncross
price is what every rule in its turn leaves over (the engine sums volumes along the prices), holds
are added up from the open orders (the engine keeps sums), what is due is looked for in all orders
(the engine keeps a sorted list), the book is one list by arrival (the engine keeps queues).

What both take from `common` is shared and not checked by comparing them: the messages, the
arithmetic of grids, and whether an instrument's definition makes sense.
"""
