package histories_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// childSetup tells the test binary that it is one of the processes.
const childSetup = "HISTORIES_TEST_SETUP"

func TestMain(m *testing.M) {
	if text := os.Getenv(childSetup); text != "" {
		if err := work(text, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(dynamotest.Main(m))
}

// perStore is how many histories of each store are checked.
const perStore = 20 // 60 in all

// fleet is the processes on one table.
type fleet struct {
	t     *testing.T
	store *sessionstore.Store // the test's own
	procs []*proc
}

type proc struct {
	tasks   *json.Encoder
	answers *json.Decoder
}

// newFleet starts the processes with a store of that name. They end when the test does, however it ends: what they read
// is closed then.
func newFleet(t *testing.T, name string) *fleet {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.New(client, table)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, store: store}
	for i := range processes {
		text, err := json.Marshal(setup{Process: i, Endpoint: dynamotest.Endpoint(t), Table: table.Name, Store: name})
		if err != nil {
			t.Fatal(err)
		}
		f.procs = append(f.procs, start(t, string(text)))
	}
	return f
}

func start(t *testing.T, setup string) *proc {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childSetup+"="+setup)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // it may have been killed, as the context of the test ends first
	})
	return &proc{json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))}
}

// record lets the processes make one history, on sessions of its own.
func (f *fleet) record(seed uint64) (operations []operation, faults int) {
	f.t.Helper()
	t := task{Seed: seed}
	for i := range 3 {
		session := fmt.Sprintf("%d of history %d %s", i, seed, storage.NewVersion())
		t.Sessions = append(t.Sessions, session)
		operations = append(operations, f.seed(session))
	}
	for _, p := range f.procs {
		if err := p.tasks.Encode(t); err != nil {
			f.t.Fatal(err)
		}
	}
	for i, p := range f.procs {
		var answer part
		if err := p.answers.Decode(&answer); err != nil {
			f.t.Fatalf("process %d: %v", i, err)
		}
		if answer.Problem != "" {
			f.t.Errorf("process %d: %s", i, answer.Problem)
		}
		operations = append(operations, answer.Operations...)
		faults += answer.Faults
	}
	return append(operations, f.lookBack(operations)...), faults
}

// seed makes a session, before all others know it.
func (f *fleet) seed(session string) operation {
	f.t.Helper()
	op := operation{Client: processes * requesters, Session: session, Kind: create, ID: "seed", Outcome: done}
	values := map[string]any{op.ID: true, lastKey: op.ID}
	expiry := time.Now().Add(time.Hour)
	data, err := scs.GobCodec{}.Encode(expiry, values)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, end := f.store.Begin(f.t.Context())
	defer end()
	op.Call = time.Now().UnixNano()
	if err := f.store.CommitCtx(ctx, session, data, expiry); err != nil {
		f.t.Fatal(err)
	}
	op.Return = time.Now().UnixNano()
	return op
}

// lookBack finds all sessions at the end: what was acknowledged must be there.
func (f *fleet) lookBack(operations []operation) (finds []operation) {
	f.t.Helper()
	sessions := map[string]bool{}
	for _, op := range operations {
		sessions[op.Session] = true
	}
	for session := range sessions {
		op := operation{
			Client: processes * requesters, Session: session, Kind: find,
			Outcome: done, Call: time.Now().UnixNano(),
		}
		data, found, err := f.store.FindCtx(f.t.Context(), session)
		if err != nil {
			f.t.Fatal(err)
		}
		op.Return = time.Now().UnixNano()
		if found {
			_, values, err := scs.GobCodec{}.Decode(data)
			if err != nil {
				f.t.Fatal(err)
			}
			op.Seen = stateOf(values)
		}
		finds = append(finds, op)
	}
	return finds
}

// TestHistories checks that what the processes are told makes sense.
func TestHistories(t *testing.T) {
	for _, name := range []string{"optimistic", "merge", "lease"} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, name)
			counts := map[string]int{}
			operations, faults := 0, 0
			first := rand.Uint64() // another one in each run
			for seed := first; seed < first+perStore; seed++ {
				recorded, n := f.record(seed)
				faults += n
				operations += len(recorded)
				for _, op := range recorded {
					counts[fmt.Sprintf("%s %s", op.Kind, op.Outcome)]++
				}
				if !check(t, recorded, name == "merge") {
					t.Fatalf("there is no order in which this makes sense, seed %d:\n%s", seed, show(recorded))
				}
			}
			var lines []string
			for _, what := range slices.Sorted(maps.Keys(counts)) {
				lines = append(lines, fmt.Sprintf("%s %d", what, counts[what]))
			}
			t.Logf("%d histories with %d operations and %d faults on %s: %s",
				perStore, operations, faults, dynamotest.EngineName(t), strings.Join(lines, ", "))
			if counts["commit done"] == 0 || counts["commit unknown"] == 0 || counts["delete done"] == 0 {
				t.Error("a history without commits, deletes or unknown outcomes proves nothing")
			}
		})
	}
}

// TestHistories_Broken checks that stores which break the rules are found out, by the same histories.
func TestHistories_Broken(t *testing.T) {
	for _, name := range []string{"none", "unconditional"} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, name)
			for seed := range uint64(perStore) {
				recorded, _ := f.record(seed)
				strict, merges := check(t, recorded, false), check(t, recorded, true)
				if !strict && !merges {
					t.Logf("refused after %d histories", seed+1)
					return
				}
			}
			t.Errorf("%d histories of a store that loses updates were taken for good", perStore)
		})
	}
}

// show lists the operations of the sessions in order.
func show(operations []operation) string {
	slices.SortFunc(operations, func(a, b operation) int {
		if c := strings.Compare(a.Session, b.Session); c != 0 {
			return c
		}
		return int(a.Call - b.Call)
	})
	var b strings.Builder
	for _, op := range operations {
		fmt.Fprintf(&b, "%-12s %3d %12d..%-12d %-7s %-8s id=%s base=%s seen=%s %s\n", op.Session[:min(12, len(op.Session))],
			op.Client, op.Call%1e12/1000, op.Return%1e12/1000, op.Kind, op.Outcome, op.ID, op.Base, op.Seen, op.Err)
	}
	return b.String()
}
