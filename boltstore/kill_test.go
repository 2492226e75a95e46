package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// background is the context of a process that ends by being killed.
var (
	background = context.Background()
	always     = storage.Always()
)

// Each of so many writers goes through its own keys in turn, over and over.
const (
	killWriters = 4
	killKeys    = 6
	killRounds  = 50
)

// step is what a writer does in its nth turn: everything follows from the writer and n, so that the parent knows it
// too.
type step struct {
	key     string
	deletes bool
	record  storage.Record
}

func stepOf(writer, n int) step {
	key := fmt.Sprintf("key %d of writer %d", n%killKeys, writer)
	r := record(key, fmt.Sprintf("turn %d %s", n, strings.Repeat("x", n*7919%6000)))
	r.Version = fmt.Sprintf("%d-%d", writer, n)
	return step{key: key, deletes: n%5 == 4, record: r}
}

// commitForEver is the child: it commits until it is killed, and says so once each commit is acknowledged. The turns
// begin where its round does.
func commitForEver(path, round string) error {
	first, err := strconv.Atoi(round)
	if err != nil {
		return err
	}
	driver, err := boltstore.OpenDriver(path)
	if err != nil {
		return err
	}
	errs := make(chan error, killWriters)
	for writer := range killWriters {
		go func() {
			for n := first; ; n++ {
				s := stepOf(writer, n)
				if s.deletes {
					err = driver.Delete(background, s.key, always)
				} else {
					err = driver.Put(background, s.record, always)
				}
				if err == nil {
					_, err = fmt.Fprintf(os.Stdout, "%d %d\n", writer, n) // One write to the pipe: whole or not at all.
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

// TestI4_KillNine kills a process that commits, many times over on one file. Whatever it acknowledged is there
// afterwards, and the file opens.
func TestI4_KillNine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	expected := map[string]*storage.Record{} // nil where the key was deleted
	total, inFlight := 0, 0
	for round := range killRounds {
		first := round * 1_000_000
		last := killOnce(t, path, first)
		driver, err := boltstore.OpenDriver(path)
		if err != nil {
			t.Fatalf("round %d: the file does not open: %v", round, err)
		}
		for writer := range killWriters {
			for n := first; n <= last[writer]; n++ {
				applyStep(expected, stepOf(writer, n))
				total++
			}
			// The turn after the last acknowledged one may have been written before the kill, or not.
			if unacknowledged := stepOf(writer, max(first, last[writer]+1)); applied(t, driver, unacknowledged) {
				applyStep(expected, unacknowledged)
				inFlight++
			}
		}
		for key, want := range expected {
			seen, found, err := driver.Get(t.Context(), key, storage.Strong)
			switch {
			case err != nil:
				t.Fatalf("round %d: Get: %v", round, err)
			case found != (want != nil):
				t.Errorf("round %d: a record is there: %v; it should be: %v", round, found, want != nil)
			case found && (seen.Version != want.Version || string(seen.Data) != string(want.Data)):
				t.Errorf("round %d: version %s is there, with %d bytes; acknowledged was %s, with %d", round,
					seen.Version, len(seen.Data), want.Version, len(want.Data))
			}
		}
		if err := driver.CheckIndex(); err != nil {
			t.Errorf("round %d: the expiry index: %v", round, err)
		}
		if err := driver.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged commits in %d rounds; %d commits were applied without being acknowledged", total,
		killRounds, inFlight)
}

func applyStep(expected map[string]*storage.Record, s step) {
	expected[s.key] = nil
	if !s.deletes {
		expected[s.key] = &s.record
	}
}

// applied reports whether the step is visible. A delete is, where its key is gone; that it was gone before makes no
// difference.
func applied(t *testing.T, driver *boltstore.Driver, s step) bool {
	t.Helper()
	r, found, err := driver.Get(t.Context(), s.key, storage.Strong)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if s.deletes {
		return !found
	}
	return found && r.Version == s.record.Version
}

// killOnce runs the child until a random number of commits are acknowledged, and kills it. It returns the last turn
// that each writer acknowledged, first-1 where it did none.
func killOnce(t *testing.T, path string, first int) [killWriters]int {
	t.Helper()
	cmd := child(t.Context(), "commit", path, childTurn+"="+strconv.Itoa(first))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last [killWriters]int
	for writer := range last {
		last[writer] = first - 1
	}
	enough := 1 + rand.IntN(100)
	acknowledged := 0
	var kill sync.Once
	lines := bufio.NewScanner(stdout) // Goes on after the kill: what was acknowledged before it may still be in the pipe.
	for lines.Scan() {
		var writer, n int
		if _, err := fmt.Sscan(lines.Text(), &writer, &n); err != nil || n != last[writer]+1 {
			t.Fatalf("the child said %q after turn %d: %v", lines.Text(), last[writer], err)
		}
		last[writer] = n
		if acknowledged++; acknowledged >= enough {
			kill.Do(func() {
				if err := cmd.Process.Kill(); err != nil {
					t.Errorf("kill: %v", err)
				}
			})
		}
	}
	if err := errors.Join(lines.Err(), killedOrNil(cmd.Wait())); err != nil || acknowledged < enough {
		t.Fatalf("%d of %d commits were acknowledged before the child ended: %v", acknowledged, enough, err)
	}
	return last
}

// killedOrNil returns err unless it says that the process ended by a signal, as it should.
func killedOrNil(err error) error {
	if exit := (interface{ ExitCode() int })(nil); errors.As(err, &exit) && exit.ExitCode() == -1 {
		return nil
	}
	return err
}
