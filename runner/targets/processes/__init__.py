"""Groups of processes, whatever they do: started, found, probed, watched, supervised, stopped. Knows no system.

- `identity`: `ProcessId` (pid and start), `stat`, `tree`. `ports`: free ports, who listens on one.
- `launch.Launcher.start(program)`: a `Child` with a log of its own. `starting`: several of them, in order.
- `finding.find(how)`: the process that a target file means, where somebody else started it.
- `background.Background`: one thread with an event loop. `probes.probe`, `requests.request` and `metrics.read` run in it.
- `rounds.Rounds.poll()`: health rounds; never waits.
- `watching.Watcher.poll()`: exact ends and starts of processes that are not ours.
- `supervising.Supervisor.poll()`: our supervisor of a user's processes: policy, backoff, giving up, order of shutdown.
- `group.Group`: all of them together, kept alive by a supervisor of theirs (`theirs`) or by soak (`ours`).
- `service.Service`: a group and its services, whose ends and starts are events; services are taken down and brought back.
- `proxy.Proxy`: a TCP proxy, so that the network to an address can be cut or slowed down, or its connections closed.
- `ending`: signals that never hit another process, whole trees. `orphans`: what is left, and who keeps a port.

Texts of a target file are expanded (`soak.schemas.target.templates.expand`) before they come here; times are real seconds.
All of it is done inside `soak.runner.targets.offspring.offspring_ended`, so that nothing outlives a killed runner.
"""
