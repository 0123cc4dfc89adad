// A process that submits, in Go: tasks are files in the directory SPOOL, named by their keys. go run submit.go
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

type question struct {
	Op, Key, Payload string
	N                int
}

type answer struct {
	Op      string         `json:"op"`
	Version int            `json:"version,omitempty"`
	Census  bool           `json:"census,omitempty"`
	N       int            `json:"n"`
	Answer  string         `json:"answer,omitempty"`
	Why     string         `json:"why,omitempty"`
	Counts  map[string]int `json:"counts,omitempty"`
}

// submit puts a task into the directory, whole or not at all; a key that is there is refused.
func submit(directory string, asked question) answer {
	fresh := fmt.Sprintf("%s.%d", directory, os.Getpid())
	err := os.WriteFile(fresh, []byte(asked.Payload), 0o600)
	if err == nil {
		err = os.Link(fresh, filepath.Join(directory, asked.Key))
	}
	os.Remove(fresh)
	if errors.Is(err, fs.ErrExist) {
		return answer{Op: "submitted", N: asked.N, Answer: "refused"}
	}
	if err != nil {
		return answer{Op: "submitted", N: asked.N, Answer: "unknown", Why: err.Error()}
	}
	return answer{Op: "submitted", N: asked.N, Answer: "accepted"}
}

func main() {
	directory := os.Getenv("SPOOL")
	say := json.NewEncoder(os.Stdout)
	say.Encode(answer{Op: "ready", Version: 1, Census: true})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		if asked.Op == "census" {
			waiting, _ := os.ReadDir(directory)
			say.Encode(answer{Op: "census", N: asked.N, Counts: map[string]int{"pending": len(waiting)}})
		} else {
			say.Encode(submit(directory, asked))
		}
	}
}
