package histories_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// operation is what one process was told, as it goes from process to process.
type operation struct {
	Client  int // which request of which process
	Session string
	Kind    kind
	// ID is what a commit adds to the session, and makes its last one.
	ID string `json:",omitempty"`
	// Base is the session as the request has read it, before a commit.
	Base string `json:",omitempty"`
	// Call and Return are when the operation began and ended, in nanoseconds.
	Call, Return int64
	Outcome      outcome
	// Seen is the session as a find has returned it; empty if there was none.
	Seen string `json:",omitempty"`
	// Err is the error, for people.
	Err string `json:",omitempty"`
}

type kind string

const (
	find   kind = "find"
	create kind = "create"
	commit kind = "commit"
	remove kind = "delete"
)

type outcome string

const (
	done     outcome = "done"
	conflict outcome = "conflict" // refused, because somebody else was faster
	gone     outcome = "gone"     // refused, because the session was ended
	refused  outcome = "refused"  // for another reason that says that nothing was done
	unknown  outcome = "unknown"
)

// absent is the state of a session that is not there. Another one is its last ID and all IDs in order.
const absent = ""

// with returns a state to which an ID was added.
func with(state, id string) string {
	ids := []string{id}
	if state != absent {
		ids = append(ids, strings.Split(strings.SplitN(state, "|", 2)[1], " ")...)
	}
	slices.Sort(ids)
	return id + "|" + strings.Join(slices.Compact(ids), " ")
}

// stateOf returns the state that the values of a session are: each ID is a key.
func stateOf(values map[string]any) string {
	ids := maps.Clone(values)
	delete(ids, lastKey)
	return fmt.Sprintf("%v|%s", values[lastKey], strings.Join(slices.Sorted(maps.Keys(ids)), " "))
}

// lastKey is where a session has its last ID.
const lastKey = "last"

// model is one session: a value that is there or not. merges is whether commits of requests that have read the same are
// merged, rather than refused but for one.
func model(merges bool) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
			bySession := map[string][]porcupine.Operation{}
			for _, op := range history {
				session := op.Input.(operation).Session
				bySession[session] = append(bySession[session], op)
			}
			return slices.Collect(maps.Values(bySession))
		},
		Init: func() any { return absent },
		Step: func(state, input, _ any) (bool, any) {
			return step(state.(string), input.(operation), merges)
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}

// step tells whether an operation can have had this outcome in this state, and which state it leaves.
func step(state string, op operation, merges bool) (bool, string) {
	there, asRead := state != absent, state == op.Base
	applies := op.Kind == create && !there || op.Kind == commit && there && (merges || asRead) || op.Kind == remove
	var next string
	switch {
	case !applies:
		next = state
	case op.Kind == remove:
		next = absent
	default:
		next = with(state, op.ID)
	}
	switch op.Outcome {
	case done:
		if op.Kind == find {
			return op.Seen == state, state
		}
		return applies, next
	case conflict:
		return there && (op.Kind == create || merges || !asRead), state
	case gone:
		return !there, state
	case refused:
		return true, state
	default:
		return true, next
	}
}

// history turns operations into what the checker reads. Finds that have failed tell nothing.
func history(operations []operation) (history []porcupine.Operation) {
	for _, op := range operations {
		if op.Kind == find && op.Outcome != done {
			continue
		}
		ends := op.Return
		if op.Outcome == unknown {
			ends = math.MaxInt64
		}
		history = append(history, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: ends})
	}
	return history
}

// check looks for an order.
func check(t *testing.T, operations []operation, merges bool) bool {
	t.Helper()
	result := porcupine.CheckOperationsTimeout(model(merges), history(operations), 30*time.Second)
	if result == porcupine.Unknown {
		t.Fatalf("no order of %d operations was found in time, nor that there is none", len(operations))
	}
	return result == porcupine.Ok
}

// TestChecker shows that the model accepts what may be, and refuses what may not.
func TestChecker(t *testing.T) {
	t.Parallel()
	v0, v1 := with(absent, "0"), with(with(absent, "0"), "1")
	born := operation{Kind: create, ID: "0", Call: 1, Return: 2, Outcome: done}
	one := operation{Kind: commit, ID: "1", Base: v0, Call: 3, Return: 10, Outcome: done}
	two := operation{Kind: commit, ID: "2", Base: v0, Call: 3, Return: 10, Outcome: done}
	both := with(v1, "2")
	ended := operation{Kind: remove, Call: 11, Return: 12, Outcome: done}
	maybe := func(op operation) operation { op.Outcome = unknown; return op }
	with := func(op operation, outcome outcome) operation { op.Outcome = outcome; return op }
	sees := func(state string, at int64) operation {
		return operation{Kind: find, Call: at, Return: at + 1, Outcome: done, Seen: state}
	}
	for _, c := range []struct {
		name           string
		operations     []operation
		strict, merges bool // whether it may be
	}{
		{"a commit is seen", []operation{born, one, sees(v1, 11)}, true, true},
		{"a commit is not seen", []operation{born, one, sees(v0, 11)}, false, false},
		{"a commit is seen while it runs", []operation{born, one, sees(v1, 4)}, true, true},
		{"a commit is seen, and then not", []operation{born, one, sees(v1, 4), sees(v0, 6)}, false, false},
		{"both of two commits are kept", []operation{born, one, two, sees(both, 11)}, false, true},
		{"one of two commits is lost", []operation{born, one, two, sees(v1, 11)}, false, false},
		{"one of two commits is refused", []operation{born, one, with(two, conflict), sees(v1, 11)}, true, true},
		{"a commit is refused for nothing", []operation{born, with(one, conflict)}, false, true},
		{"a refused commit is seen", []operation{born, with(one, conflict), sees(v1, 11)}, false, false},
		{"a delete is seen", []operation{born, ended, sees(absent, 13)}, true, true},
		{"a delete is not seen", []operation{born, ended, sees(v0, 13)}, false, false},
		{"an unknown commit is seen late", []operation{born, maybe(one), sees(v0, 11), sees(v1, 13)}, true, true},
		{"an unknown commit is never seen", []operation{born, maybe(one), sees(v0, 11), sees(v0, 13)}, true, true},
		{"an unknown commit is seen, and then not", []operation{born, maybe(one), sees(v1, 11), sees(v0, 13)}, false, false},
		{"an unknown commit brings back", []operation{born, maybe(one), ended, sees(v1, 13)}, false, false},
		{"gone is gone", []operation{born, ended, with(operation{
			Kind: commit, ID: "1", Base: v0, Call: 13, Return: 14,
		}, gone)}, true, true},
		{"what is there is gone", []operation{born, with(one, gone)}, false, false},
		{
			"two create one session",
			[]operation{born, {Kind: create, ID: "9", Call: 3, Return: 4, Outcome: done}},
			false,
			false,
		},
		{
			"one creates it again",
			[]operation{born, ended, {Kind: create, ID: "9", Call: 13, Return: 14, Outcome: done}},
			true,
			true,
		},
		{
			"they are two sessions",
			[]operation{born, {Kind: find, Session: "other", Call: 3, Return: 4, Outcome: done}},
			true,
			true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := check(t, c.operations, false); got != c.strict {
				t.Errorf("it may be without merging: %v; want %v", got, c.strict)
			}
			if got := check(t, c.operations, true); got != c.merges {
				t.Errorf("it may be with merging: %v; want %v", got, c.merges)
			}
		})
	}
}
