"""The runner: command line, engine, judge, targets, faults and evidence."""
