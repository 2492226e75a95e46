package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// driverContextCases are about contexts that have ended.
func driverContextCases() []driverCase {
	return []driverCase{
		{
			id: "D-CTX-01", name: "CancelledGet",
			rule: "Get with a context that has ended is an error that matches the context's, never a miss.",
			run: func(p *driverProbe) {
				r := p.stored()
				p.endedContexts(func(ctx context.Context, want error) {
					for _, key := range []string{r.Key, p.key()} {
						if _, found, err := p.tryGet(ctx, key, storage.Strong); found || !errors.Is(err, want) {
							p.failf("Get: found %v, error %v, and an error that matches %v was due", found, err, want)
						}
					}
				})
			},
		},
		{
			id: "D-CTX-02", name: "CancelledWrite",
			rule: "A write with a context that has ended is an error that matches the context's, and nothing is written: that is known.",
			run: func(p *driverProbe) {
				p.endedContexts(func(ctx context.Context, want error) {
					p.refusesEveryWrite(func(_ context.Context, write func(context.Context, storage.Condition) error) {
						if err := write(ctx, storage.Always()); !errors.Is(err, want) {
							p.failf("the error was %v, and one that matches %v was due", err, want)
						}
					})
				})
			},
		},
		{
			id: "D-CTX-03", name: "CancelledScan", needs: driverNeedsScanner,
			rule: "Scan with a context that has ended is an error that matches the context's, never a shorter page.",
			run: func(p *driverProbe) {
				p.stored()
				p.endedContexts(func(ctx context.Context, want error) {
					page, err := p.tryScan(ctx, storage.ScanRequest{})
					if !errors.Is(err, want) || len(page.Records) > 0 {
						p.failf("%d records, error %v, and an error that matches %v was due", len(page.Records), err, want)
					}
				})
			},
		},
		{
			id: "D-CTX-04", name: "CancelledMidway",
			rule: "Where the context ends during a write, the result is success, the context's error or ErrOutcomeUnknown; success means written, and whole, and the context's error alone that it is not.",
			run: func(p *driverProbe) {
				r := p.stored()
				for range 2 * driverRounds {
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
						if seen, found := p.get(r.Key); !found || driverDifference(r, seen) != "" && driverDifference(next, seen) != "" {
							p.failf("the record is neither as it was before the write nor as the write leaves it")
						}
						r = p.stored() // for the write may yet arrive
					case errors.Is(err, context.Canceled):
						p.holds(r)
					default:
						p.failf("the error of the write was: %v", err)
					}
				}
			},
		},
	}
}

// endedContexts calls f with a context that was cancelled and with one whose deadline has passed, and their errors.
func (p *driverProbe) endedContexts(f func(ctx context.Context, want error)) {
	cancelled, cancel := context.WithCancel(p.ctx)
	cancel()
	f(cancelled, context.Canceled)
	late, cancel := context.WithDeadline(p.ctx, time.Now().Add(-time.Second))
	defer cancel()
	f(late, context.DeadlineExceeded)
}
