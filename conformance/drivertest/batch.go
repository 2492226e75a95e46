package drivertest

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/scsdynamo/scsdynamo/storage"
)

// batchCases are about DeleteBatch.
func batchCases() []testCase {
	return []testCase{
		{
			id: "D-BATCH-01", name: "Removes",
			rule: "DeleteBatch removes the records under the keys, whatever they are, and no others, however many there are.",
			run: func(p *probe) {
				bystander, expired := p.stored(), p.record(p.key())
				expired.ExpiresAt = p.now.Add(-lifetime)
				p.put(expired, storage.Always())
				records := append(p.population(70), p.leased(), expired)
				p.noError("DeleteBatch", p.tryDeleteBatch(p.ctx, keysOf(records)))
				for _, r := range records {
					p.absent(r.Key)
				}
				p.holds(bystander)
			},
		},
		{
			id: "D-BATCH-02", name: "AnyKeys",
			rule: "Keys without a record, keys that no driver can hold, and a key named twice are no error and keep no other " +
				"from being deleted; nor is no key at all.",
			run: func(p *probe) {
				p.noError("DeleteBatch", p.tryDeleteBatch(p.ctx, nil))
				records := p.population(3)
				keys := slices.Concat(
					[]string{p.key(), records[2].Key}, slices.Collect(maps.Values(invalidKeys())), keysOf(records),
				)
				handed := slices.Clone(keys)
				p.noError("DeleteBatch", p.tryDeleteBatch(p.ctx, handed))
				for _, r := range records {
					p.absent(r.Key)
				}
				if !slices.Equal(keys, handed) {
					p.Fatalf("the caller's keys were changed")
				}
			},
		},
		{
			id: "D-BATCH-03", name: "Cancelled",
			rule: "DeleteBatch with a context that has ended is an error that matches the context's, and deletes nothing.",
			run: func(p *probe) {
				records := p.population(3)
				p.endedContexts(func(ctx context.Context, want error) {
					if err := p.tryDeleteBatch(ctx, keysOf(records)); !errors.Is(err, want) {
						p.Fatalf("the error was %v, and one that matches %v was due", err, want)
					}
					for _, r := range records {
						p.holds(r)
					}
				})
			},
		},
	}
}

func keysOf(records []storage.Record) []string {
	keys := make([]string, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return keys
}
