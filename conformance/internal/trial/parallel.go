package trial

import (
	"math/rand/v2"
	"sync"
)

// Each calls f with 0 to n-1 from up to limit goroutines and waits for them. If one of them failed, it ends the case.
func (t *Trial) Each(n, limit int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, limit) {
		wg.Go(func() {
			t.Guarded(func() {
				for i := range next {
					f(i)
				}
			})
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
feed:
	for i := range n {
		select {
		case next <- i:
		case <-stopped: // Every goroutine has failed.
			break feed
		}
	}
	close(next)
	<-stopped
	t.EndIfFailed()
}

// Together calls all functions at the same time and waits for them. If one of them failed, it ends the case.
func (t *Trial) Together(fs ...func()) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	// In random order: the last one to wait is often the first to run, which would give the same race the same winner.
	for _, i := range rand.Perm(len(fs)) {
		wg.Go(func() {
			<-start
			t.Guarded(fs[i])
		})
	}
	close(start)
	wg.Wait()
	t.EndIfFailed()
}
