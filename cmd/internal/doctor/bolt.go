package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Bolt is a store in a bbolt file that is to be examined.
type Bolt struct {
	// Path is where the file is.
	Path string
	// Open opens the file.
	Open func(context.Context) (storage.Driver, error)
	// Store returns the store over the open file, and the sessions in it. Closing the store closes the file.
	Store func(storage.Driver) (*sessionstore.Store, *inspect.Sessions, error)
}

// The names of the checks on a file, in their order.
const (
	checkFile        = "file"
	checkPermissions = "permissions"
	checkSpace       = "free space"
	checkLock        = "lock"
)

// fix is what to do about a file that does not work, by what is wrong with it. None of it loses a session.
func (b Bolt) fix(err error) string {
	path := terminal.ShellWord(b.Path)
	switch {
	case errors.Is(err, syscall.EROFS):
		return "mount the file system for writing; to look at the sessions alone, work on a copy elsewhere"
	case errors.Is(err, fs.ErrPermission):
		return "give the file to the user of the application: chown it, or chmod u+rw " + path + " as its owner"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the file system"
	case errors.Is(err, boltstore.ErrNotDatabase):
		return "correct bolt.path; where it was the file with the sessions, keep a copy of it as it is before anything " +
			"else is tried"
	default:
		return "correct bolt.path, and see to what is said"
	}
}

// Examine reports a finding for each check, in order. It changes nothing but a session of its own, which it deletes.
// Where there is no file it makes none.
func (b Bolt) Examine(ctx context.Context, settings Settings, report func(Finding)) {
	e := examination{settings, report}
	e.settings()
	if !b.file(e) {
		return
	}
	b.permissions(e)
	b.space(e)
	driver, err := b.Open(ctx)
	switch {
	case errors.Is(err, boltstore.ErrInUse):
		e.warn(checkLock, "stop the application to have the rest looked at; while it runs, it is to have the file",
			"another process has the file open")
		e.skip("the file is in use", checkContent, checkRoundTrip)
		return
	case err != nil:
		e.failed(checkLock, b.fix(err), err)
		e.skip("the file cannot be opened", checkContent, checkRoundTrip)
		return
	}
	store, sessions, err := b.Store(driver)
	if err != nil {
		e.failed(checkLock, b.fix(err), err)
		return
	}
	defer func() {
		if err := store.Close(); err != nil {
			e.failed(checkLock, b.fix(err), err)
		}
	}()
	e.ok(checkLock, "no other process has the file open")
	e.content(ctx, sessions, 0, b.fix, "")
	e.roundTrip(ctx, store)
}

// rest are the checks that need a file.
var rest = []string{checkPermissions, checkSpace, checkLock, checkContent, checkRoundTrip}

func (b Bolt) file(e examination) bool {
	info, err := os.Stat(b.Path)
	held := heldDeleted(b.Path)
	if held != "" {
		save := "save it before that process ends, at a quiet moment: cp " + held + " " +
			terminal.ShellWord(unused(b.Path+".saved")) + "; "
		what := "see what deletes files there"
		if err != nil {
			what = "then stop the process, and put the copy where the file was, unless another is there by then; " + what
		} else {
			what = "leave the file that is there now as it is, for it is another one, with sessions of its own; stop one of " +
				"the processes that use " +
				"the two; " + what
		}
		e.fail(checkFile,
			save+what, "a process still has a file open that was deleted from %s: what it stores is gone when it ends", b.Path)
	}
	switch {
	case held != "" && err != nil:
	case err == nil && info.Mode().IsRegular():
		e.ok(checkFile, "%s, %d bytes", b.Path, info.Size())
		return true
	case err == nil:
		e.fail(checkFile, "name a file with bolt.path", "%s is a directory or a device", b.Path)
	case os.IsNotExist(err):
		directory, err := os.Stat(filepath.Dir(b.Path))
		if err != nil || !directory.IsDir() {
			e.fail(checkFile, "create the directory, or correct bolt.path", "%s is not there, and neither is its directory",
				b.Path)
			break
		}
		if err := writable(filepath.Dir(b.Path)); err != nil {
			e.fail(checkFile, directoryFix(err), "%s is not there, and cannot be made: %s", b.Path, pathProblem(err))
			break
		}
		e.warn(checkFile, "nothing, where no session was stored yet: the application makes it; else correct bolt.path",
			"%s is not there", b.Path)
	default:
		e.fail(checkFile, "give this user the right to it, or correct bolt.path", "%s: %s", b.Path, pathProblem(err))
	}
	e.skip("there is no file", rest...)
	return false
}

// unused returns a path at which nothing is, like this one.
func unused(path string) string {
	for i, name := 2, path; ; i++ {
		if _, err := os.Lstat(name); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d", path, i)
	}
}

func (b Bolt) permissions(e examination) {
	info, err := os.Stat(b.Path)
	switch {
	case err != nil:
		e.fail(checkPermissions, b.fix(err), "%s", pathProblem(err))
	case runtime.GOOS == "windows":
		e.skip("Windows has others", checkPermissions)
	case writable(b.Path) != nil:
		err := writable(b.Path)
		e.fail(checkPermissions, b.fix(err), "%04o: %s", info.Mode().Perm(), pathProblem(err))
	case info.Mode().Perm()&0o077 != 0:
		e.warn(checkPermissions, "chmod 600 "+terminal.ShellWord(b.Path), "%04o: other users may read or change sessions",
			info.Mode().Perm())
	default:
		e.ok(checkPermissions, "%04o", info.Mode().Perm())
	}
}

// leastFree is the room that a file needs to grow at all: bbolt doubles it, up to steps of 16 MiB.
const leastFree = 64 << 20

func (b Bolt) space(e examination) {
	free, known := freeBytes(filepath.Dir(b.Path))
	switch {
	case !known:
		e.skip("cannot be found out on this system", checkSpace)
	case free < leastFree:
		e.fail(checkSpace, "make room, or move the file with bolt.path", "%d MB left: commits fail when the file has to grow",
			free/1_000_000)
	default:
		e.ok(checkSpace, "%d MB", free/1_000_000)
	}
}

// directoryFix is what to do about a directory in which the file cannot be made.
func directoryFix(err error) string {
	if errors.Is(err, syscall.EROFS) {
		return "mount the file system for writing, or correct bolt.path"
	}
	return "give the user of the application the right to write into the directory, or correct bolt.path"
}
