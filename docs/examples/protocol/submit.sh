#!/bin/sh
# A process that submits, in plain shell: tasks are files in the directory SPOOL, named by their keys.
# soak writes the fields of a question in this order, and escapes in a payload nothing but double quotes.
echo '{"op": "ready", "version": 1, "census": true}'
while IFS= read -r line; do
    n=$(printf '%s\n' "$line" | sed 's/.*"n":\([0-9]*\).*/\1/')
    case $line in
        '{"op":"submit",'*)
            key=$(printf '%s\n' "$line" | sed 's/.*"key":"\([^"]*\)".*/\1/')
            payload=$(printf '%s\n' "$line" | sed 's/.*"payload":"\(.*\)"}$/\1/; s/\\"/"/g')
            printf '%s' "$payload" >"$SPOOL.$$"
            # A link is made whole or not at all, and not where there is one.
            if ln "$SPOOL.$$" "$SPOOL/$key" 2>/dev/null; then answer=accepted; else answer=refused; fi
            rm "$SPOOL.$$"
            echo "{\"op\": \"submitted\", \"n\": $n, \"answer\": \"$answer\"}" ;;
        *)
            pending=$(find "$SPOOL" -type f | wc -l)
            echo "{\"op\": \"census\", \"n\": $n, \"counts\": {\"pending\": $((pending))}}" ;;
    esac
done
