package doctor_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/cmd/internal/doctor"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// A file that was deleted under a process is found while it can still be saved.
func TestFileDeletedUnderAProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if _, err := file.WriteString("sessions"); err != nil {
		t.Fatal(err)
	}
	found := func() (failed doctor.Finding) {
		bolt := doctor.Bolt{Path: path, Open: func(context.Context) (storage.Driver, error) {
			return nil,
				errors.New("not now")
		}}
		bolt.Examine(t.Context(), doctor.Settings{Sealed: true}, func(f doctor.Finding) {
			if f.Check == "file" && f.Status == doctor.Fail {
				failed = f
			}
		})
		return failed
	}
	if f := found(); f.Detail != "" {
		t.Errorf("found before it was deleted: %+v", f)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f := found()
	_, command, _ := strings.Cut(f.Fix, "cp ")
	saved, err := os.ReadFile(strings.Fields(command + " none")[0])
	if err != nil || string(saved) != "sessions" {
		t.Errorf("what is to be copied is %q: %v; found is %+v", saved, err, f)
	}
}

// What is advised for such a file is followed to the letter. Where another file is at the path by then, neither loses a
// session.
func TestAdviceOnAFileDeletedUnderAProcess(t *testing.T) {
	t.Parallel()
	for name, replaced := range map[string]bool{"no other file": false, "another file": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sessions.db")
			old := openBolt(t, path)
			commitTo(t, old, "old")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".saved", []byte("of the last time"), 0o600); err != nil {
				t.Fatal(err)
			}
			if replaced {
				replacement := openBolt(t, path)
				commitTo(t, replacement, "new")
				if err := replacement.Close(); err != nil {
					t.Fatal(err)
				}
			}
			var fix string
			bolt := doctor.Bolt{Path: path, Open: func(context.Context) (storage.Driver, error) {
				return nil,
					boltstore.ErrInUse
			}}
			bolt.Examine(t.Context(), doctor.Settings{Sealed: true, ReadOnly: true}, func(f doctor.Finding) {
				if f.Check == "file" && f.Status == doctor.Fail {
					fix = f.Fix
				}
			})
			if says := strings.Contains(fix, "leave the file that is there now as it is"); says != replaced ||
				strings.Contains(fix, "put the copy") == replaced {
				t.Errorf("advised is: %s", fix)
			}
			command, _, _ := strings.Cut(fix[strings.Index(fix, "cp "):], ";")
			words := strings.Fields(command)
			if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%q: %v, %s", command, err, out)
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			if kept, err := os.ReadFile(path + ".saved"); err != nil || string(kept) != "of the last time" {
				t.Errorf("what was saved the last time is %q; %v", kept, err)
			}
			if !replaced {
				if err := os.Rename(words[2], path); err != nil { // "put the copy where the file was"
					t.Fatal(err)
				}
				holds(t, path, "old")
				return
			}
			holds(t, words[2], "old")
			holds(t, path, "new")
		})
	}
}

func openBolt(t *testing.T, path string) *boltstore.Driver {
	t.Helper()
	driver, err := boltstore.OpenDriver(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close() })
	return driver
}

func commitTo(t *testing.T, driver storage.Driver, token string) {
	t.Helper()
	store, err := sessionstore.New(driver)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit(token, []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// holds checks that a file has the session.
func holds(t *testing.T, path, token string) {
	t.Helper()
	driver := openBolt(t, path)
	store, err := sessionstore.New(driver)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := store.Find(token); err != nil || !found {
		t.Errorf("%s has lost the session %s: %v", path, token, err)
	}
}
