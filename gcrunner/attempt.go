package gcrunner

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// maxFailures is how often in a row an operation may fail, throttling excepted. The driver has repeated it before.
	maxFailures = 8
	firstPause  = 100 * time.Millisecond
	lastPause   = 5 * time.Second
)

// attempt does an operation in its turn, and again where the service was not available. Throttling slows down all that
// the pacer paces. It is a reason to give up only where nothing else has come back for long. Once ctx has ended, there
// is no new attempt; the present one lasts until sent has ended.
func (r *run) attempt(
	ctx, sent context.Context, pace *pacer, expected func() float64, units func(storage.Usage) float64,
	operation func(context.Context) error,
) (consumed float64, err error) {
	pause := backoff.Backoff{First: firstPause, Limit: lastPause}
	failures := 0
	var refusal error // the last time that there were too many requests
	for {
		estimate := expected()
		if err := pace.take(ctx, estimate); err != nil {
			return consumed, err
		}
		pace.begin()
		meter := &storage.Meter{}
		err := operation(storage.WithMeter(sent, meter))
		usage := meter.Usage()
		throttled := errors.Is(err, storage.ErrThrottled)
		if throttled {
			usage.Throttled++
		}
		r.count(usage)
		if usage.Throttled > 0 {
			pace.throttled()
		}
		consumed += units(usage)
		if err == nil {
			pace.accepted()
			pace.spend(estimate, units(usage))
			return consumed, nil
		}
		// What a refused write has consumed is billed, but not reported: the estimate stands for it.
		switch unclear := errors.Is(err, storage.ErrOutcomeUnknown); {
		case unclear && refusal != nil && sent.Err() != nil:
			return consumed, refusal // it is why the operation has not come back in time
		case errors.Is(err, storage.ErrConflict):
			pace.accepted()
			return consumed, err
		case throttled:
			refusal = err
			r.tellNowAndThen()
			if pace.refused(err) > r.patience {
				return consumed, err
			}
		case unclear || errors.Is(err, storage.ErrUnavailable):
			pace.refused(err)
			if failures++; failures == maxFailures {
				return consumed, err
			}
		default:
			return consumed, err
		}
		if pause.Wait(ctx) != nil {
			return consumed, err
		}
	}
}

// count adds to the report what an operation has consumed.
func (r *run) count(usage storage.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.ReadUnits += usage.ReadUnits
	r.report.WriteUnits += usage.WriteUnits
	r.report.Throttles += usage.Throttled
}
