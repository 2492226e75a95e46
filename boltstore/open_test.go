package boltstore_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestOpenCreatesPrivateFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	openFile(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
}

func TestOpenReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := boltstore.OpenDriver("", boltstore.WithLockTimeout(0), boltstore.WithGrace(-1))
	if err == nil {
		t.Fatal("no error")
	}
	for _, about := range []string{"path", "lock timeout", "grace"} {
		if !strings.Contains(err.Error(), about) {
			t.Errorf("%v does not speak of the %s", err, about)
		}
	}
}

// TestOpenExplains opens what cannot be opened. Each error must match, and say what to do.
func TestOpenExplains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inUse := filepath.Join(dir, "in-use.db")
	openFile(t, inUse)
	for _, c := range []struct {
		name, path string
		matches    error
		says       string
	}{
		{"missing directory", filepath.Join(dir, "no", "such", "sessions.db"), fs.ErrNotExist, "create it first"},
		{"a directory", dir, nil, "name a file in it"},
		{"below a file", filepath.Join(write("file", nil), "sessions.db"), nil, "open "},
		{"text", write("text", []byte("some notes")), boltstore.ErrNotDatabase, "name another file"},
		{
			"a page of text", write("long", bytes.Repeat([]byte("some notes "), 3000)), boltstore.ErrNotDatabase,
			"name another file",
		},
		{"opened twice", inUse, boltstore.ErrInUse, "close the other"},
	} {
		driver, err := boltstore.OpenDriver(c.path, boltstore.WithLockTimeout(time.Millisecond))
		if err == nil {
			_ = driver.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		if c.matches != nil && !errors.Is(err, c.matches) {
			t.Errorf("%s: %v does not match %v", c.name, err, c.matches)
		}
		//nolint:errorlint // The case, not the error.
		if later := c.matches == boltstore.ErrInUse; errors.Is(err, storage.ErrUnavailable) != later {
			t.Errorf("%s: %v; matches ErrUnavailable: %v", c.name, err, !later)
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), filepath.Dir(c.path)) {
			t.Errorf("%s: %q does not say %q and where", c.name, err, c.says)
		}
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("skipped: permissions do not bind this user; run the tests as another user than root")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.db")
	openFile(t, path)
	unreadable := filepath.Join(dir, "unreadable.db")
	if err := os.WriteFile(unreadable, nil, 0o000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	for name, path := range map[string]string{
		"an unreadable file":              unreadable,
		"a new file in a read-only place": filepath.Join(dir, "new.db"),
	} {
		_, err := boltstore.OpenDriver(path)
		if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, boltstore.ErrReadOnly) ||
			!strings.Contains(err.Error(), "needs the right") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wholeFile returns a file with 40 records, and how many of its bytes are in use.
func wholeFile(t *testing.T) (content []byte, used int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.db")
	driver, err := boltstore.OpenDriver(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		put(t, driver, record(strings.Repeat("k", i+1), strings.Repeat("data", 500)))
	}
	if err := driver.Bolt().View(func(tx *bolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, used
}

// TestOpenFileCutShort cuts a file at many places. Opening what is left must be an error, not the end of the program.
func TestOpenFileCutShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole, used := wholeFile(t)
	const steps = 60
	for i := 1; i < steps; i++ {
		size := used * int64(i) / steps
		cut := filepath.Join(dir, "cut.db")
		if err := os.WriteFile(cut, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		// Twice: the first attempt must not leave the file locked.
		for range 2 {
			driver, err := boltstore.OpenDriver(cut, boltstore.WithLockTimeout(time.Millisecond))
			if !errors.Is(err, boltstore.ErrNotDatabase) {
				t.Errorf("a file of %d bytes cut to %d: %v", used, size, err)
			}
			if err == nil {
				_ = driver.Close()
			}
		}
	}
}

// TestOpenDamagedPages overwrites the beginning of one page after the other. The file opens or is reported as damaged.
func TestOpenDamagedPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole, used := wholeFile(t)
	refused := 0
	for page := range int(used) / os.Getpagesize() {
		damaged := bytes.Clone(whole)
		copy(damaged[page*os.Getpagesize():], bytes.Repeat([]byte{0xa5}, 200))
		path := filepath.Join(dir, fmt.Sprint(page, ".db"))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		driver, err := boltstore.OpenDriver(path)
		switch {
		case err == nil:
			_ = driver.Close()
		case errors.Is(err, boltstore.ErrNotDatabase):
			refused++
		default:
			t.Errorf("page %d: %v", page, err)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed; the list of free pages must have been among it")
	}
}

// TestSecondProcess has another process hold the file.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	holder := child(t.Context(), "hold", path)
	leave, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		t.Fatalf("the other process said %q: %v", line, err)
	}
	if _, err := boltstore.OpenDriver(path,
		boltstore.WithLockTimeout(100*time.Millisecond)); !errors.Is(err, boltstore.ErrInUse) {
		t.Errorf("while the other process holds the file: %v", err)
	}
	if err := leave.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	get(t, openFile(t, path), "of the other process")
}

// holdFile is the other process: it holds the file until its input ends.
func holdFile(path string) error {
	driver, err := boltstore.OpenDriver(path)
	if err != nil {
		return err
	}
	if err := driver.Put(background, record("of the other process", "data"), always); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString("open\n"); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return driver.Close()
}
