package faultproxy

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"time"
)

// Random draws faults. What the n-th attempt of an operation meets depends on the seed alone.
type Random struct {
	Seed uint64
	// Percent is how many of a hundred attempts meet a fault.
	Percent int
	// Outages is how many of a hundred runs of eight attempts of an operation are struck as a whole, so that all
	// attempts of a call are, too.
	Outages int
	// Longest bounds the delays.
	Longest time.Duration
}

// Random lets attempts meet faults that are drawn, but for those that the script is about. Nil ends it.
func (p *Proxy) Random(r *Random) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random = r
}

// AwaitLate returns when all has been delivered that was to be delivered late, or with the context's error.
func (p *Proxy) AwaitLate(ctx context.Context) error {
	return p.await(ctx, func() bool { return p.late == 0 })
}

// block is how many attempts of an operation in a row meet an outage, as long as one lasts: more than a client makes.
const block = 8

func (r *Random) draw(request *Request, n int) Fault {
	if random := r.random(request.Operation, "block", n/block); random.IntN(100) < r.Outages {
		return []Fault{
			Throttle(), Refuse(http.StatusServiceUnavailable, "ServiceUnavailable"), LoseRequest(), LoseResponse(), Cut(),
			Refuse(http.StatusBadRequest, "AccessDeniedException"),
		}[random.IntN(6)]
	}
	random := r.random(request.Operation, "attempt", n)
	if random.IntN(100) >= r.Percent {
		return Pass()
	}
	short := time.Duration(random.Int64N(int64(r.Longest)/8 + 1))
	long := time.Duration(random.Int64N(int64(r.Longest) + 1))
	faults := []Fault{
		LoseRequest(), LoseResponse(), LoseResponse(), Cut(), Twice(), Throttle(),
		Delay(short), DelayResponse(short), Late(long), Late(long), TwiceLate(long),
		Refuse(http.StatusBadRequest, "ThrottlingException"), Refuse(http.StatusBadRequest, "RequestLimitExceeded"),
		Refuse(http.StatusInternalServerError, "InternalServerError"),
		FailAfter(http.StatusInternalServerError, "InternalServerError"),
		Refuse(http.StatusServiceUnavailable, "ServiceUnavailable"), Refuse(http.StatusBadRequest, "AccessDeniedException"),
		HTML(http.StatusTooManyRequests), HTML(http.StatusBadGateway),
	}
	return faults[random.IntN(len(faults))]
}

// random returns what is random about the n-th of something.
func (r *Random) random(operation, what string, n int) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, operation, what, n)
	return rand.New(rand.NewPCG(r.Seed, h.Sum64()))
}
