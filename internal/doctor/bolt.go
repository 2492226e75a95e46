package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Bolt is a store in a bbolt file that is to be examined.
type Bolt struct {
	// Path is where the file is.
	Path string
	// Open opens the file.
	Open func(context.Context) (inspect.Driver, error)
	// Store returns the store over the open file, and the sessions in it. Closing the store closes the file.
	Store func(inspect.Driver) (*sessionstore.Store, *inspect.Sessions, error)
}

// The names of the checks on a file, in their order.
const (
	checkFile        = "file"
	checkPermissions = "permissions"
	checkSpace       = "free space"
	checkLock        = "lock"
	checkContent     = "content"
)

// fixFile is what to do about a file that does not work.
const fixFile = "correct bolt.path, restore a backup, or move the file away to start empty"

// Examine reports a finding for each check, in order. It changes nothing but a session of its own, which it deletes. Where
// there is no file it makes none.
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
		e.failed(checkLock, fixFile, err)
		e.skip("the file cannot be opened", checkContent, checkRoundTrip)
		return
	}
	store, sessions, err := b.Store(driver)
	if err != nil {
		e.failed(checkLock, fixFile, err)
		return
	}
	defer func() {
		if err := store.Close(); err != nil {
			e.failed(checkLock, fixFile, err)
		}
	}()
	e.ok(checkLock, "no other process has the file open")
	content(ctx, e, sessions)
	e.roundTrip(ctx, store)
}

// rest are the checks that need a file.
var rest = []string{checkPermissions, checkSpace, checkLock, checkContent, checkRoundTrip}

func (b Bolt) file(e examination) bool {
	info, err := os.Stat(b.Path)
	switch {
	case err == nil && info.Mode().IsRegular():
		e.ok(checkFile, "%s, %d bytes", b.Path, info.Size())
		return true
	case err == nil:
		e.fail(checkFile, "name a file with bolt.path", "%s is a directory or a device", b.Path)
	case os.IsNotExist(err):
		directory, err := os.Stat(filepath.Dir(b.Path))
		if err != nil || !directory.IsDir() {
			e.fail(checkFile, "create the directory, or correct bolt.path", "%s is not there, and neither is its directory", b.Path)
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

func (b Bolt) permissions(e examination) {
	info, err := os.Stat(b.Path)
	switch {
	case err != nil:
		e.fail(checkPermissions, fixFile, "%s", pathProblem(err))
	case runtime.GOOS == "windows":
		e.skip("Windows has others", checkPermissions)
	case info.Mode().Perm()&0o077 != 0:
		e.warn(checkPermissions, fmt.Sprintf("chmod 600 %s", b.Path), "%04o: other users may read or change sessions",
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

// content reads everything.
func content(ctx context.Context, e examination, sessions *inspect.Sessions) {
	read, unreadable, sealed := 0, 0, 0
	for page, err := range sessions.Pages(ctx, storage.AllFields) {
		if err != nil {
			e.failed(checkContent, fixFile, err)
			return
		}
		unreadable += len(page.Unreadable)
		for _, record := range page.Records {
			read++
			if sessions.Open(ctx, record).Err != nil {
				sealed++
			}
		}
	}
	switch {
	case unreadable > 0:
		e.fail(checkContent, `see "scsdynamo sessions list", and delete them; set sessions.unreadable_as_miss so that their users `+
			"can go on", "%d of %d sessions are damaged", unreadable, read+unreadable)
	case sealed > 0:
		e.warn(checkContent, "give the secrets that they were sealed with, as secret.previous", "%d of %d sessions do not open with "+
			"the secrets that are configured", sealed, read)
	default:
		e.ok(checkContent, "%d sessions, all of them readable", read)
	}
}
