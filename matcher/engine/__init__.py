"""The venue: its state, the dispatch of commands, and a module for each family of rules.

Importing this package lets the build of `crossbook.matcher.build` run: its native modules stand in
front of the source of the same name.
"""

from crossbook.matcher.build import NATIVE

__path__[:0] = NATIVE
