"""The event stream: kinds of events, states of tasks, blocks of columns in memory."""
