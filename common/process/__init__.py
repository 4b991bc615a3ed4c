"""What every process has: settings, sockets, clock, log, counters."""
