"""A signal pipeline under a supervisor: source -> harvest -> signal -> broker -> report, with two sinks that must agree.

    python -m soak.systems.pipeline run --enable harvest,signal,broker,report --sink dual --minutes 60 --dir DIR
    python -m soak.systems.pipeline source|exchange|harvest|signal|broker|report --dir DIR [--config FILE] …

All files are in DIR, times in them are Unix seconds. Records have sequence numbers from 0 (`seq`) and keep the time at which
the source sent them (`sent`), also where nobody was connected.

- `source.jsonl`: a line per message, `{"at", "first", "last"}`; what is sent again after a resume is not logged again.
- `raw.jsonl`, `signals.jsonl`, table `signals` of `signals.db`: `seq, sent, at, symbol, …`; `at` is when the record was written.
  Signals have `strong`, `confirm`, `low_consistency`: strength and consistency are below the shares in `records`, which are
  constants. A replay in which fewer are strong has to say so by its figures. `input`: where in `raw.jsonl` the next record
  begins; so a sink knows by its own last line, or by its table `position`, what it has.
- `orders.jsonl`: the exchange's ledger, a line per order that it accepted, `{"seq", "key", "at", …}`.
- `session.json` (harvest): the epoch that the source was given, its symbols and endpoint. Minutes are counted from there.
- `probes.jsonl`, `resources.jsonl` (memory, open files and CPU, in each round of probes), `processes.jsonl`, `restarts.jsonl`,
  `alerts.jsonl`, `exports.jsonl`, `shutdown.jsonl`: what the supervisor did. A restart is written when the process is started
  again, with its new `pid`, the old one's `exit` and the supervisor's own `count`. Probes are due at the epoch plus multiples
  of `health.every`.
- `NAME.pid`, `NAME.log` (appended), `NAME.end.json` (what a process that was asked to stop had left, and its counters;
  in `shutdown.jsonl`, `left` is null for one that could not say so).
- `config.json` as run, and at the end `run_manifest.json`, `source_manifest.json`, `parity_diff.json` (with both sinks),
  `daily_report.SINK.json` and `.md` (with `report`).

Every process serves `/health` (200 if it can work and progresses, 503 otherwise; JSON with its `pid`) and `/metrics`
(Prometheus text) on its port: `records_total`, `records_read_total`, `waiting`, `last_output_timestamp_seconds`;
harvest: `queue_dropped_total`, `reconnects_total`, `stream_timeouts_total`, `gap_records_total`;
signal: `sink_stored_total{sink}`, `sink_errors_total{sink}`, `sink_pending{sink}`; broker: `orders_total`, `order_errors_total`;
source: `connections_total`, `resent_total`, `last_seq`, `ended`. Ports are named after the processes; `source` is the control
port of the source, `stream` that of its WebSocket; on `supervisor`, if it is given, `/health` is 200 while all processes run.

Asked to stop (SIGTERM), a process works off what waits for it at that moment, flushes, and then ends *by SIGTERM*: to a
supervisor that did not ask, that is a failure. Asked to stop, the supervisor first has harvest pause and every queue run empty
(`shutdown.drain`), then stops one process after the other, and ends with 0. With `--minutes` it stops by itself, with
`--minutes --stay` it waits for SIGTERM. A process whose port is taken ends with 98.
"""
