#!/bin/sh
# A worker in plain shell: tasks are files in the directory SPOOL. It takes one, does it with `soak body`, and looks again.
# SOAK_BODY: the command for one attempt; without soak on this machine: "python3 {kit}/soak/kit.py body".
mkdir -p "$SPOOL/../running" "$SPOOL/../failed"
while :; do
    for task in "$SPOOL"/*; do
        key=${task##*/}
        mine="$SPOOL/../running/$key"
        mv "$task" "$mine" 2>/dev/null || continue   # another worker was quicker, or there is none
        ${SOAK_BODY:-soak body} "$(cat "$mine")"
        case $? in
            0) rm "$mine" ;;
            75) mv "$mine" "$task" ;;                # transient: it is due again at once
            65) mv "$mine" "$SPOOL/../failed/$key" ;;
            *) exit 1 ;;                             # there is no runner any more
        esac
    done
    sleep 0.1
done
