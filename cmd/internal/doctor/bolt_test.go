package doctor_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/cmd/internal/doctor"
	"github.com/scsdynamo/scsdynamo/storage"
)

// losing is advice that loses sessions.
var losing = regexp.MustCompile(`(?i)\b(delete|remove|rm|move (the file|it) away|restore|start empty)\b`)

// What is advised for a file that cannot be opened looks at the kind of the error: a right that is missing is no
// damage.
func TestAdviceLooksAtTheKindOfError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no right":                {fs.ErrPermission, "chown"},
		"no right, by the system": {&fs.PathError{Op: "open", Path: "sessions.db", Err: syscall.EACCES}, "chown"},
		"not permitted":           {&fs.PathError{Op: "open", Path: "sessions.db", Err: syscall.EPERM}, "chown"},
		"read-only":               {&fs.PathError{Op: "open", Path: "sessions.db", Err: syscall.EROFS}, "mount"},
		"full":                    {&fs.PathError{Op: "write", Path: "sessions.db", Err: syscall.ENOSPC}, "make room"},
		"quota":                   {syscall.EDQUOT, "make room"},
		"damaged":                 {boltstore.ErrNotDatabase, "keep a copy of it"},
		"anything else":           {syscall.EIO, "correct bolt.path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sessions.db")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			bolt := doctor.Bolt{Path: path, Open: func(context.Context) (storage.Driver, error) {
				return nil, fmt.Errorf("boltstore: %w", test.err)
			}}
			seen := false
			bolt.Examine(t.Context(), doctor.Settings{Sealed: true}, func(f doctor.Finding) {
				if losing.MatchString(f.Fix) {
					t.Errorf("%s: the advice may lose sessions: %s", f.Check, f.Fix)
				}
				if f.Check == "lock" {
					seen = true
					if f.Status != doctor.Fail || !strings.Contains(f.Fix, test.want) {
						t.Errorf("found is %+v; want %q", f, test.want)
					}
				}
			})
			if !seen {
				t.Error("the lock was not looked at")
			}
		})
	}
}
