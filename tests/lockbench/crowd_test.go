package lockbench_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// BenchmarkCrowd measures requests to one session while a crowd that waits for another one gives up, all at once.
// ratio/op is how many times as long they take as without a crowd, and worst-ms the longest that one has taken.
func BenchmarkCrowd(b *testing.B) {
	var alone float64
	for _, crowd := range []int{0, 2_000, 30_000} {
		b.Run(fmt.Sprint(crowd), func(b *testing.B) {
			const patience = 3 * time.Second
			strategy := lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: patience, MaxWaiting: max(crowd, 1)})
			backend := &lockstrategy.Backend{Driver: memory.New(), Now: time.Now}
			for _, key := range []string{"attacked", "other"} {
				record := storage.Record{
					Key: key, Version: storage.NewVersion(),
					UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
				}
				if err := backend.Driver.Put(b.Context(), record, storage.Always()); err != nil {
					b.Fatal(err)
				}
			}
			visit := func(key string) (lockstrategy.Session, error) {
				return strategy.Load(b.Context(), &lockstrategy.Request{Backend: backend, Lock: true}, key)
			}
			var worst, all time.Duration
			requests := 0
			for b.Loop() {
				holder, err := visit("attacked")
				if err != nil {
					b.Fatal(err)
				}
				var waiting sync.WaitGroup
				for range crowd {
					waiting.Go(func() { _, _ = visit("attacked") }) // It never gets the session.
				}
				for ends := time.Now().Add(patience + time.Second); time.Now().Before(ends); requests++ {
					<-time.After(5 * time.Millisecond)
					began := time.Now()
					session, err := visit("other")
					if err == nil {
						err = session.Release(b.Context())
					}
					if err != nil {
						b.Fatal(err)
					}
					took := time.Since(began)
					worst, all = max(worst, took), all+took
				}
				waiting.Wait()
				if err := holder.Release(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			each := float64(all) / float64(requests)
			if crowd == 0 {
				alone = each
			}
			b.ReportMetric(float64(worst)/float64(time.Millisecond), "worst-ms")
			b.ReportMetric(each/float64(time.Microsecond), "us/request")
			b.ReportMetric(each/alone, "ratio/op")
		})
	}
}
