package trial

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// WantNoGoroutines expects that no goroutine of the package of tried which f started, directly or not, goes on running
// for longer than a moment.
//
// Goroutines inherit the profiling labels of the one that starts them. That tells those of f from all others, also
// while other tests run. Those of other packages are left alone: they belong to clients that the caller made and will
// close.
func (t *Trial) WantNoGoroutines(tried any, moment time.Duration, f func()) {
	const label = "conformance"
	id := NewToken()
	pprof.Do(t.ctx, pprof.Labels(label, id), func(context.Context) { f() })

	p := PackageOf(tried)
	if p.Path == "" {
		t.Skip(fmt.Sprintf("%T belongs to no package, so its goroutines cannot be told from others", tried))
	}
	deadline := time.Now().Add(moment)
	for {
		left, unknown := Labelled(label, id, p)
		late := time.Now().After(deadline)
		switch {
		case len(left) == 0 && (unknown == 0 || late):
			return
		case late:
			t.Fatalf("%d kinds of goroutines of package %s go on:\n%s", len(left), p.Path, strings.Join(left, "\n"))
		}
		t.WaitUntil(time.Now().Add(5 * time.Millisecond))
	}
}

// Package is where the code of what is tried comes from.
type Package struct {
	Path string
	// InTests is whether that code is in files of tests. Otherwise those hold helpers, and do not count.
	InTests bool
}

// PackageOf returns the package that the type of a value is from.
func PackageOf(tried any) Package {
	t := reflect.TypeOf(tried)
	p := Package{}
	for i := range t.NumMethod() {
		entry := runtime.FuncForPC(t.Method(i).Func.Pointer())
		if entry == nil {
			continue
		}
		file, _ := entry.FileLine(entry.Entry())
		p.InTests = p.InTests || strings.HasSuffix(file, "_test.go")
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p.Path = t.PkgPath()
	p.InTests = p.InTests || strings.HasSuffix(p.Path, "_test")
	return p
}

// Symbols returns how the names of the package's functions begin in stacks: dots in the last part of its path are
// escaped there.
func (p Package) Symbols() string {
	slash := strings.LastIndex(p.Path, "/") + 1
	return p.Path[:slash] + strings.ReplaceAll(p.Path[slash:], ".", "%2e") + "."
}

// Labelled looks for goroutines with the label. It returns the stacks of those that are in functions of the package,
// and counts those that have not begun, so that it cannot be told where they belong.
func Labelled(key, value string, p Package) (stacks []string, unknown int) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}, 0
	}
	mark, symbols := fmt.Sprintf("%q:%q", key, value), p.Symbols()
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
				ours = ours || strings.HasPrefix(fields[2], symbols) && (p.InTests || !strings.Contains(line, "_test.go:"))
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
