#!/bin/bash
# The body of a task over TCP with nothing but bash, as in a container without soak and Python: body-tcp.sh PAYLOAD
# SOAK_TCP is the address (`tcp:HOST:PORT`) and SOAK_TOKEN the token; both come from soak.
IFS=: read -r _ host port <<<"$SOAK_TCP"
exec 3<>"/dev/tcp/$host/$port" || exit 70
printf '{"op": "hello", "version": 1, "token": "%s", "pid": %d, "host": "%s"}\n' "$SOAK_TOKEN" $$ "$HOSTNAME" >&3
printf '{"op": "started", "payload": %s}\n' "$1" >&3   # a payload is a JSON object, and may be sent as one
while IFS= read -r line <&3; do
    case $line in
        '{"op":"finish",'*) break ;;
        '{"op":"refused",'*) echo "$line" >&2; exit 70 ;;
    esac
done
printf '{"op": "ended"}\n' >&3 || exit 70
case $line in
    *'"end":"ok"'*) exit 0 ;;
    *'"end":"transient"'*) exit 75 ;;
    *'"end":"permanent"'*) exit 65 ;;
    *) exit 70 ;;   # the runner has closed the connection
esac
