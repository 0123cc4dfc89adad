"""Records that flow through processes under a supervisor, as a SimPy model.

How it computes. SimPy's clock carries what is out of the ordinary: faults, exits and restarts, health rounds, samples, minutes,
exports, the shutdown. Between two such instants nothing happens to a process, and its records are stepped in arrays (`lindley`).
`run` goes ahead to the end of a stretch, so that events are complete up to any time that is asked for.

What it does, which is what the bundled pipeline does for real:

- At 0 all processes are healthy. The source sends each record when it is due, and what happens at that instant comes first.
- A process works on one record at a time, in order; how long is drawn by process and record, and is the same when it works on it
  once more. `buffer` limits what waits for the reader of the source beside the record in service; `block` leaves the rest at the
  source. Other streams are files, and hold what their readers have not read.
- What it passes on is in its stream when the first sink of the stream has it: readers follow that sink. Without sinks it is there
  at once. A sink is written when its batch has `rows`, or `every` after the first; one that cannot be written gets what waits
  when it can be again. The process goes on meanwhile.
- A process that is killed loses what is in its memory: its buffer, the record in service, batches. With `exactly_once` it begins
  again after what all of its sinks have, and writes to each only what that one lacks. With `at_least_once` it begins at the last
  checkpoint (whole multiples of `checkpoint`), and what is written again is a duplicate, also for those behind it. With
  `at_most_once` it is lost: of the buffer, as much as fits. Whatever the guarantee, a source that does not `resume` sends nothing
  twice: what its reader had in memory is lost, what is sent while it is not connected is missed.
- An order has the key of its record: an exactly-once process that gets a record twice places it once.
- An exit is noticed at once. The process is started after the backoff, counted in a row until it was healthy for `reset_after`;
  if there were `max_restarts` within `within` already, it is abandoned. It takes `start` (drawn by process and start) until it is
  healthy and works; after `start_timeout` it is killed. `process.output` is the first new record it passes on, or works on if it
  writes nothing. A process that is told to end works off what is there, and ends by that signal: it is started again, too.
- A probe is green if the process is healthy, and is not stopped for longer than `timeout` from then on. It is noted when it is
  due.
- While the reader is stopped the source's connection holds what is sent. A connection without data for `stream_timeout` is given
  up; the next is made 0.2 s later, and again every 0.2 s while it is refused.
- A fault that finds its process down strikes it as soon as it is started, within 30 s. `term_during_batch` waits up to a
  second until the process holds records. Overlapping faults of a kind last until the last of them is over.
- A minute is closed one second after its end, with what the first sink holds by then of the records sent in it. The alerts follow
  from closed minutes; of one without records no share is known. Exports are made every `export.every`, one second later.
- After the last record the queues run empty, if the drain leaves time for it and for `grace`; then the processes are ended in
  order. Each works off its input; after `grace` it is killed. What is left is the last `sample.backlog`.
"""
