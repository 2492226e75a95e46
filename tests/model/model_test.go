package model_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// minSteps is how many steps the gate takes at least, over all strategies.
const minSteps = 40_000

var strategies = []kind{{"none"}, {"optimistic"}, {"merge"}, {"lease"}}

// tally counts what has happened, by name.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

var steps, events tally

func (c *tally) count(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[name]++
}

func (c *tally) total() (total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.of {
		total += n
	}
	return total
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var counts []string
	for _, name := range slices.Sorted(maps.Keys(c.of)) {
		counts = append(counts, fmt.Sprintf("%s %d", name, c.of[name]))
	}
	return strings.Join(counts, ", ")
}

// property is that the invariants hold in one run.
func property(k kind) func(*rapid.T) {
	return func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) {
			w := newWorld(rt, k)
			defer w.tearDown()
			rt.Repeat(w.actions())
			w.settle(rt)
		})
	}
}

// mustHappen is what the store does dozens of times in the gate: a model that never gets there proves nothing.
var mustHappen = []string{
	"find ok", "find miss", "find error", "commit ok", "commit conflict", "commit gone", "commit error",
	"delete ok", "wait ok",
	"merge ok", "takeover ok", "renew ok", "release ok",
}

// TestInvariants checks I1 to I9 with every strategy. None is there to keep I3 to I9.
func TestInvariants(t *testing.T) {
	rounds := 0
	ran := map[kind]bool{}
	for ; rounds == 0 || !testing.Short() && steps.total() < minSteps && rounds < 10; rounds++ {
		for _, k := range strategies {
			t.Run(k.strategy, func(t *testing.T) {
				ran[k] = true
				rapid.Check(t, property(k))
			})
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d steps in %d rounds: %v", steps.total(), rounds, &steps)
	t.Logf("%d events: %v", events.total(), &events)
	if testing.Short() || len(ran) < len(strategies) {
		return // what follows is about the whole of it
	}
	if steps.total() < minSteps {
		t.Errorf("%d steps; at least %d are wanted", steps.total(), minSteps)
	}
	for _, event := range mustHappen {
		if events.of[event] == 0 {
			t.Errorf("%q has never happened", event)
		}
	}
}

// FuzzInvariants goes on where TestInvariants ends. It draws from a seed, not from the fuzzer's bytes: which of them
// lead to which goroutine being first they cannot say, and to make them fewer takes the fuzzer a minute each.
func FuzzInvariants(f *testing.F) {
	for strategy := range strategies {
		f.Add(uint8(strategy), uint64(1))
	}
	f.Fuzz(func(t *testing.T, strategy uint8, seed uint64) {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		drawn := make([]byte, 64<<10)
		_, _ = rand.NewChaCha8(key).Read(drawn) // never fails
		rapid.MakeFuzz(property(strategies[int(strategy)%len(strategies)]))(t, drawn)
	})
}
