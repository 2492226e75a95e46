package judge_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// report is the directory that the tables are written to.
const report = "JUDGE_REPORT"

// TestStores fails, as the stores break rules. It is run by scripts/judge.sh.
func TestStores(t *testing.T) {
	directory := os.Getenv(report)
	if directory == "" {
		t.Skipf("fails where a store breaks a rule, which most do: scripts/judge.sh runs it, with %s", report)
	}
	var results conformance.Report
	t.Cleanup(func() {
		markdown, err := os.Create(directory + "/report.md")
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.Create(directory + "/report.json")
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(results.WriteMarkdown(markdown), results.WriteJSON(data), markdown.Close(), data.Close())
		if err != nil {
			t.Error(err)
		}
	})
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) { judge(t, k, &results) })
	}
}

func judge(t *testing.T, k kind, results *conformance.Report) {
	address := ""
	if k.server != "" {
		if address = os.Getenv(k.server); address == "" {
			t.Skipf("%s names no server", k.server)
		}
		k.prepare(t, address)
	}
	var backends sync.Map // of scs.Store to backend
	of := func(store scs.Store) backend {
		b, _ := backends.Load(store)
		return b.(backend)
	}
	newStore := func(t *testing.T) scs.Store {
		store, b := k.open(t, address)
		backends.Store(store, b)
		if s, ok := store.(interface{ StopCleanup() }); ok {
			// Where it was stopped before, some stores wait for ever.
			t.Cleanup(func() { go s.StopCleanup() })
		}
		return store
	}
	options := append([]conformance.Option{conformance.WithReport(results, k.name)}, k.options...)
	probe, b := k.open(t, address)
	if b.peer != nil {
		options = append(options,
			conformance.WithPeer(func(t *testing.T, store scs.Store) scs.Store { return of(store).peer(t) }))
	}
	if b.relay != nil {
		options = append(options, conformance.WithFault(
			func(_ *testing.T, store scs.Store, fault conformance.Fault) func() {
				return of(store).relay.Inject(fault)
			}))
	}
	if k.collect {
		var stored func(t *testing.T, store scs.Store, token string) bool
		if b.stored != nil {
			stored = func(t *testing.T, store scs.Store, token string) bool { return of(store).stored(t, token) }
		}
		// The cleanup goes on all the time.
		wait := func(t *testing.T, _ scs.Store) {
			select {
			case <-time.After(5 * cleanup):
			case <-t.Context().Done():
			}
		}
		options = append(options, conformance.WithCollect(wait, stored))
	}
	if s, ok := probe.(interface{ StopCleanup() }); ok {
		time.AfterFunc(time.Second, s.StopCleanup)
	}
	conformance.Run(t, newStore, options...)
}
