package boltstore_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// The test binary runs itself as a second process where these variables say so.
const (
	childRole = "BOLTSTORE_TEST_CHILD"
	childFile = "BOLTSTORE_TEST_FILE"
	childTurn = "BOLTSTORE_TEST_ROUND"
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); role {
	case "":
		// The example makes an scs.SessionManager, which begins with a memstore of its own and its goroutine.
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
	case "hold":
		exit(holdFile(os.Getenv(childFile)))
	case "commit":
		exit(commitForEver(os.Getenv(childFile), os.Getenv(childTurn)))
	default:
		exit(fmt.Errorf("there is no child of the role %q", role))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child returns the command that runs this binary in a role. Its process ends with the test.
func child(ctx context.Context, role, file string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childRole+"="+role, childFile+"="+file)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// neverClock is the clock of tests in which nothing is to be removed: before it, nothing has expired.
func neverClock() time.Time { return time.Time{} }

// open returns a driver on a new file that is closed with the test.
func open(t testing.TB, opts ...boltstore.DriverOption) *boltstore.Driver {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "sessions.db"), opts...)
}

func openFile(t testing.TB, path string, opts ...boltstore.DriverOption) *boltstore.Driver {
	t.Helper()
	driver, err := boltstore.OpenDriver(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return driver
}

// record returns a record that lives for an hour.
func record(key, data string) storage.Record {
	now := time.Now().UTC().Truncate(time.Second)
	return storage.Record{
		Key: key, Data: []byte(data), Version: storage.NewVersion(),
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

func put(t testing.TB, d *boltstore.Driver, r storage.Record) {
	t.Helper()
	if err := d.Put(t.Context(), r, storage.Always()); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

// get returns the record under key, and fails the test where there is none.
func get(t testing.TB, d *boltstore.Driver, key string) storage.Record {
	t.Helper()
	r, found, err := d.Get(t.Context(), key, storage.Strong)
	if err != nil || !found {
		t.Fatalf("Get: found %v, error %v", found, err)
	}
	return r
}

func absent(t testing.TB, d *boltstore.Driver, key string) {
	t.Helper()
	if _, found, err := d.Get(t.Context(), key, storage.Strong); err != nil || found {
		t.Fatalf("Get: found %v, error %v; nothing should be there", found, err)
	}
}
