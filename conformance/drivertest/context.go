package drivertest

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// contextCases are about contexts that have ended.
func contextCases() []testCase {
	return []testCase{
		{
			id: "D-CTX-01", name: "CancelledGet",
			rule: "Get with a context that has ended is an error that matches the context's, never a miss.",
			run: func(p *probe) {
				r := p.stored()
				p.endedContexts(func(ctx context.Context, want error) {
					for _, key := range []string{r.Key, p.key()} {
						if _, found, err := p.tryGet(ctx, key, storage.Strong); found || !errors.Is(err, want) {
							p.Fatalf("Get: found %v, error %v, and an error that matches %v was due", found, err, want)
						}
					}
				})
			},
		},
		{
			id: "D-CTX-02", name: "CancelledWrite",
			rule: "A write with a context that has ended is an error that matches the context's, and nothing is written: " +
				"that is known.",
			run: func(p *probe) {
				p.endedContexts(func(ctx context.Context, want error) {
					p.refusesEveryWrite(func(_ context.Context, write func(context.Context, storage.Condition) error) {
						if err := write(ctx, storage.Always()); !errors.Is(err, want) {
							p.Fatalf("the error was %v, and one that matches %v was due", err, want)
						}
					})
				})
			},
		},
		{
			id: "D-CTX-03", name: "CancelledScan", needs: needsScanner,
			rule: "Scan with a context that has ended is an error that matches the context's, never a shorter page.",
			run: func(p *probe) {
				p.stored()
				p.endedContexts(func(ctx context.Context, want error) {
					page, err := p.tryScan(ctx, storage.ScanRequest{})
					if !errors.Is(err, want) || len(page.Records) > 0 {
						p.Fatalf("%d records, error %v, and an error that matches %v was due", len(page.Records), err, want)
					}
				})
			},
		},
		{
			id: "D-CTX-04", name: "CancelledMidway",
			rule: "Where the context ends during a write, the result is success, the context's error or ErrOutcomeUnknown; " +
				"success means written, and whole, and the context's error alone that it is not.",
			run: func(p *probe) {
				r := p.stored()
				for range 2 * rounds {
					next := p.next(r)
					ctx, cancel := context.WithCancel(p.ctx)
					var err error
					p.together(2, func(i int) {
						if i == 0 {
							cancel()
							return
						}
						err = p.tryPut(ctx, next, storage.IfVersion(r.Version, p.now))
					})
					switch {
					case err == nil:
						p.holds(next)
						r = next
					case errors.Is(err, storage.ErrOutcomeUnknown):
						if seen, found := p.get(r.Key); !found || difference(r, seen) != "" && difference(next, seen) != "" {
							p.Fatalf("the record is neither as it was before the write nor as the write leaves it")
						}
						r = p.stored() // for the write may yet arrive
					case errors.Is(err, context.Canceled):
						p.holds(r)
					default:
						p.Fatalf("the error of the write was: %v", err)
					}
				}
			},
		},
	}
}

// endedContexts calls f with a context that was cancelled and with one whose deadline has passed, and their errors.
func (p *probe) endedContexts(f func(ctx context.Context, want error)) {
	cancelled, cancel := context.WithCancel(p.ctx)
	cancel()
	f(cancelled, context.Canceled)
	late, cancel := context.WithDeadline(p.ctx, time.Now().Add(-time.Second))
	defer cancel()
	f(late, context.DeadlineExceeded)
}
