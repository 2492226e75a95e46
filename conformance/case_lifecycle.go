package conformance

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

func lifecycleCases() []testCase {
	return []testCase{
		{
			id: "P05", name: "StopRightAfterNew",
			rule:  "a store may be stopped at any moment after it was made, also while it is used",
			needs: []need{needStop},
			alone: true,
			run: func(c *check) {
				for range 10 {
					s := c.newStore()
					token := c.token()
					// Calls to a store that is being closed may fail, but must return.
					c.together(
						func() { _ = s.stop() },
						func() { _ = s.tryCommit(c.ctx, token, random(10), later()) },
						func() { _, _, _ = s.tryFind(c.ctx, token) },
					)
				}
			},
		},
		{
			id: "P06", name: "StopTwice",
			rule:  "stopping a store again does nothing and is not an error",
			needs: []need{needStop},
			alone: true, patience: 5 * time.Second,
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(10), later())
				c.letBegin()
				for range 3 {
					if err := c.store.stop(); err != nil {
						c.fatalf("stopping failed: %v", err)
					}
				}
			},
		},
		{
			id: "P07", name: "EarlyStopIsNotLost",
			rule:  "a store that is stopped before it was ever used leaves no goroutine running",
			needs: []need{needStop},
			alone: true,
			run: func(c *check) {
				c.wantNoGoroutines(func() {
					for range 10 {
						_ = c.newStore().stop()
					}
				})
			},
		},
		{
			id: "P08", name: "NoGoroutineIsLeft",
			rule:  "a store that was used and then stopped, or has no way to be stopped, leaves no goroutine running",
			alone: true,
			run: func(c *check) {
				c.wantNoGoroutines(func() {
					s := c.newStore()
					token := c.token()
					s.commit(token, random(10), later())
					s.find(token)
					s.delete(token)
					if s.iterable() {
						s.all()
					}
					if stopOf(s.store) != nil {
						c.letBegin()
						_ = s.stop()
					}
				})
			},
		},
	}
}

// stopOf returns the method that ends the background work of a store, or nil. These are the forms that stores for scs
// have. StopCleanup comes first: the Close of a store that has both can be that of a database which it embeds, and which
// others use.
func stopOf(store scs.Store) func() error {
	switch s := store.(type) {
	case stopCleanup:
		return func() error { s.StopCleanup(); return nil }
	case interface{ Close() error }:
		return s.Close
	case interface{ Close() }:
		return func() error { s.Close(); return nil }
	default:
		return nil
	}
}

type stopCleanup interface{ StopCleanup() }

// letBegin gives the background work of a store the time to begin, so that only P05 and P07 are about stopping it before.
// No verdict rests on its length.
func (c *check) letBegin() { c.waitUntil(time.Now().Add(20 * time.Millisecond)) }

// stop expects a store that can be stopped.
func (s *caller) stop() error {
	name := "Close"
	if _, ok := s.store.(stopCleanup); ok {
		name = "StopCleanup"
	}
	step := s.c.begin("%s%s()", s.label, name)
	err := stopOf(s.store)()
	s.c.end(step, "%v", err)
	return err
}

// wantNoGoroutines expects that no goroutine of the store's package which f started, directly or not, goes on running.
//
// Goroutines inherit the profiling labels of the one that starts them. That tells those of f from all others, also while
// other tests run. Those of other packages are left alone: they belong to clients that newStore made and will close.
func (c *check) wantNoGoroutines(f func()) {
	const label = "conformance"
	id := c.token()
	pprof.Do(c.ctx, pprof.Labels(label, id), func(context.Context) { f() })

	pkg := packageOf(c.store.store)
	if pkg == "" {
		c.skip("the type of the store belongs to no package, so its goroutines cannot be told from others")
	}
	// It may take a moment from being told to end to having ended.
	deadline := time.Now().Add(min(5*time.Second, c.opts.timeout/2))
	for {
		left, unknown := labelled(label, id, pkg)
		late := time.Now().After(deadline)
		switch {
		case len(left) == 0 && (unknown == 0 || late):
			return
		case late:
			c.fatalf("%d kinds of goroutines of package %s go on:\n%s", len(left), pkg, strings.Join(left, "\n"))
		}
		c.waitUntil(time.Now().Add(5 * time.Millisecond))
	}
}

// labelled looks for goroutines with the label. It returns the stacks of those that are in functions of the package, and
// counts those that have not begun, so that it cannot be told where they belong. The files of the package's tests do not
// count, as there are the helpers of newStore.
func labelled(key, value, pkg string) (stacks []string, unknown int) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}, 0
	}
	mark, prefix, ofTests := fmt.Sprintf("%q:%q", key, value), symbolPrefix(pkg), strings.HasSuffix(pkg, "_test")
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(stack, mark) {
			continue
		}
		begun, ours := false, false
		for line := range strings.Lines(stack) {
			// A frame is "#", its address, its function and its file.
			fields := strings.Fields(line)
			if len(fields) >= 3 && fields[0] == "#" && fields[1] != "labels:" {
				begun = begun || !strings.HasPrefix(fields[2], "sync.") && !strings.HasPrefix(fields[2], "runtime.")
				ours = ours || strings.HasPrefix(fields[2], prefix) && (ofTests || !strings.Contains(line, "_test.go:"))
			}
		}
		switch {
		case ours:
			stacks = append(stacks, strings.ReplaceAll(stack, value, "…"))
		case !begun:
			unknown++
		}
	}
	return stacks, unknown
}

// packageOf returns the import path of the package that a store's type is from.
func packageOf(store scs.Store) string {
	t := reflect.TypeOf(store)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// symbolPrefix returns how the names of a package's functions begin in stacks: dots in the last part of its path are
// escaped there.
func symbolPrefix(path string) string {
	slash := strings.LastIndex(path, "/") + 1
	return path[:slash] + strings.ReplaceAll(path[slash:], ".", "%2e") + "."
}
