// The body of a task in Go: one attempt, as `soak body` does it. go run body.go PAYLOAD
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
)

const ok, transient, permanent, noRunner = 0, 75, 65, 70

type message struct {
	Op      string `json:"op"`
	Version int    `json:"version,omitempty"`
	Role    string `json:"role,omitempty"`
	Token   string `json:"token,omitempty"`
	Pid     int    `json:"pid,omitempty"`
	Host    string `json:"host,omitempty"`
	Worker  string `json:"worker,omitempty"`
	Id      string `json:"id,omitempty"`
	Payload string `json:"payload,omitempty"`
	End     string `json:"end,omitempty"`
	Error   string `json:"error,omitempty"`
	Why     string `json:"why,omitempty"`
}

// attempt does one attempt of a task and returns how it ended. A worker that makes many keeps the connection.
func attempt(payload string) (end, why string, err error) {
	network, address, _ := strings.Cut(os.Getenv("SOAK_ADDRESS"), ":")
	line, err := net.Dial(network, address)
	if err != nil {
		return "", "", err
	}
	defer line.Close()
	say, hear := json.NewEncoder(line), json.NewDecoder(bufio.NewReader(line))
	host, _ := os.Hostname()
	hello := message{Op: "hello", Version: 1, Role: "body", Token: os.Getenv("SOAK_TOKEN"),
		Pid: os.Getpid(), Host: host, Worker: os.Getenv("SOAK_WORKER")}
	for _, each := range []message{hello, {Op: "started", Payload: payload}} {
		if err := say.Encode(each); err != nil {
			return "", "", err
		}
	}
	for {
		var heard message
		if err := hear.Decode(&heard); err != nil {
			return "", "", err
		}
		switch heard.Op {
		case "refused":
			return "", "", fmt.Errorf("refused: %s", heard.Why)
		case "finish":
			return heard.End, heard.Error, say.Encode(message{Op: "ended"})
		}
	}
}

func main() {
	end, why, err := attempt(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "no runner:", err)
		os.Exit(noRunner)
	}
	if end != "ok" {
		fmt.Fprintf(os.Stderr, "%s error: %s\n", end, why)
	}
	os.Exit(map[string]int{"ok": ok, "transient": transient, "permanent": permanent}[end])
}
