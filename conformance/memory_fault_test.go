//go:build linux || darwin

package conformance_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// TestMemoryFaults shows that a store whose slices lie in the mapping of a file fails, and does not end the tests.
func TestMemoryFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, id string
		handOut  func(t *testing.T, data []byte) []byte
	}{
		{"read only", "D09", func(t *testing.T,
			data []byte,
		) []byte {
			t.Helper()
			return mapped(t, data, syscall.PROT_READ)
		}},
		{"gone", "B01", func(t *testing.T, data []byte) []byte { t.Helper(); return mapped(t, data, syscall.PROT_NONE) }},
		{"gone in parallel", "P02", func(t *testing.T,
			data []byte,
		) []byte {
			t.Helper()
			return mapped(t, data, syscall.PROT_NONE)
		}},
		{"gone in a request", "S01", func(t *testing.T,
			data []byte,
		) []byte {
			t.Helper()
			return mapped(t, data, syscall.PROT_NONE)
		}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			failures, _ := conformance.Examine(t, test.id, func(t *testing.T) scs.Store {
				return opened(t, func(r *reference) scs.Store {
					return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
						data, found, err := r.FindCtx(ctx, token)
						if len(data) > 0 {
							data = test.handOut(t, data)
						}
						return data, found, err
					}}
				}, newReference())
			})
			if !slices.ContainsFunc(failures, func(f string) bool { return strings.Contains(f, "memory fault") }) {
				t.Errorf("%s: %q", test.id, failures)
			}
		})
	}
}

// mapped returns a copy of data in memory that may be used in this way only.
func mapped(t *testing.T, data []byte, protection int) []byte {
	t.Helper()
	memory, err := syscall.Mmap(-1, 0, len(data), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	copy(memory, data)
	if err := syscall.Mprotect(memory, protection); err != nil {
		t.Fatal(err)
	}
	return memory[:len(data):len(data)]
}
