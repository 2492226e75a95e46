package model_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// leaks watches what errors, events and the log tell.
type leaks struct {
	mu      sync.Mutex
	secrets []string
	told    strings.Builder
}

// keep names something that must not be told.
func (l *leaks) keep(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets = append(l.secrets, secrets...)
}

// observe is a sessionstore.Observer.
func (l *leaks) observe(_ context.Context, e sessionstore.Event) {
	events.count(e.Operation + " " + e.Outcome)
	l.text(e)
	if e.Err != nil {
		l.text(e.Err)
	}
}

// Write is for the log.
func (l *leaks) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told.Write(b)
}

// text takes what a value prints as; of an error also what is within it.
func (l *leaks) text(v any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.textLocked(v)
}

func (l *leaks) textLocked(v any) {
	fmt.Fprintf(&l.told, "%+v\n", v)
	switch v := v.(type) {
	case *storage.ConflictError:
		if v.Current != nil { // what prints it is somebody's choice
			fmt.Fprintf(&l.told, "%+v\n", *v.Current)
		}
	case interface{ Unwrap() error }:
		l.textLocked(v.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range v.Unwrap() {
			l.textLocked(err)
		}
	}
}

// found returns what has been told and must not be, and forgets what was told.
func (l *leaks) found() (leaked []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told.String()
	l.told.Reset()
	for _, secret := range l.secrets {
		if strings.Contains(told, secret) {
			leaked = append(leaked, fmt.Sprintf("%d bytes, in:\n%s", len(secret), told))
		}
	}
	return leaked
}
