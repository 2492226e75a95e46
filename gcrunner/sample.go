package gcrunner

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// maxSamples is how many sessions a dry run reads to tell how large they are, where it has seen nothing but their
	// keys.
	maxSamples = 32
	// recordOverhead is about what a record has beside key and data, in bytes.
	recordOverhead = 200
)

// sample reads a session of which a dry run knows the key alone.
func (r *run) sample(ctx context.Context, c candidate) error {
	if !r.costs.takeSample() {
		return nil
	}
	var record storage.Record
	var found bool
	units, err := r.attempt(ctx, ctx, r.reads, func() float64 { return 1 },
		func(u storage.Usage) float64 { return u.ReadUnits },
		func(ctx context.Context) (err error) {
			record, found, err = r.driver.Get(ctx, c.record.Key, storage.Eventual)
			return err
		})
	switch {
	case err != nil || !found:
	case len(record.Data) > 0:
		r.costs.sampled(len(record.Key) + len(record.Data) + recordOverhead)
	default: // without its data, all that is known is between which sizes it is
		r.costs.sampled(int(units*bytesPerReadUnit) - bytesPerReadUnit/4)
	}
	return err
}
