"""Makes HTTP load in processes of its own, on this machine or others, and gives what happened as events.

The runner holds a `generator.Generator` and never imports gevent. A process of its own (`python -m soak.runner.load`: `__main__`,
`roles`) sends requests, or is the master of workers that do (`distributed`); Locust connects them, and its HTTP client sends
(`client`). Each computes its share of the plan (`division`, `shares`), sends what is due (`sender`, `arrivals`, `user_turns`) and
tells in packed `rows` when that was and what came back; `events` makes blocks of these, complete up to the time until which
every process has told everything. What requests and answers are is for `soak.runner.http` to say.
"""
