"""A gateway for tenants' agents: an ASGI service of several processes over SQLite or PostgreSQL, with Redis where there is one.

    python -m soak.systems.gateway serve --dir DIR --port P --workers 2 --database sqlite:///… | postgresql://… [--redis redis://…]

All files are in DIR: `config.json` as run, `gateway.db` (without --database), `shared.bin` (clock, limits and counters of all
processes), `signing.key`, `restarts.jsonl`, `gateway.pid`, and for each process `http-N` and `outbox` its `NAME.pid` and
`NAME.log` (appended). Times are Unix seconds of the gateway's own clock, which `POST /clock` moves.

A tenant logs in (`POST /token`) and sends `POST /execute`. A policy allows or denies; both are appended to the tenant's audit
log, each row with a hash over the one before. What is allowed is an execution: its usage goes through an outbox, written in the
same transaction, from which the process `outbox` moves it to `usage` and completes the execution. It also seals, once a UTC day
is over, a root over the rows that each tenant wrote on it.

A request has one connection of its process's pool from begin to end, and a tenant at most half of the pool. Appends of a tenant
happen one after the other: by a lock in Redis, if there is one, and in any case by the row of the tenant in `chains`.

Asked to stop (SIGTERM), the parent lets its HTTP processes answer what they have, then the outbox run empty, and ends with 0.
A process that dies is started again; when the parent dies, all others end. A port that is taken: exit code 98.
"""
