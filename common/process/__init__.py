"""Parts of every process: settings, sockets, clock, log, counters."""
