package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/cmd/internal/doctor"
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
		bolt := doctor.Bolt{Path: path, Open: func(context.Context) (storage.Driver, error) { return nil, errors.New("not now") }}
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
