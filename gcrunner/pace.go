package gcrunner

import (
	"cmp"
	"context"
	"math"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
)

// pacer gives operations their turns, so that what they consume is spread evenly over time and stays within a rate.
// What an operation consumes is known only after it: it takes its turn with an estimate, and the turns behind it move
// by the difference.
//
// The rate adapts to throttling: it is halved where the service refuses requests, and grows again little by little.
type pacer struct {
	refusals

	ceiling float64 // units per second; +Inf for none
	// turnstile lets one operation at a time wait for its turn, so that what the others have consumed is known by then.
	turnstile chan struct{}

	mu   sync.Mutex // never held while waiting
	rate float64    // what is allowed at the moment, at most the ceiling
	next time.Time  // when the next operation may begin
	// step is by how much the rate grows in a second, changed is since when.
	step    float64
	changed time.Time
	slowed  time.Time // when it was last halved
	// spent has been consumed since windowed, recent was the rate of it in the window before.
	spent, recent float64
	windowed      time.Time
}

const (
	// slowDown is what remains of the rate after throttling. Refusals within slowPause are of one burst, and count
	// once.
	slowDown  = 0.5
	slowPause = 500 * time.Millisecond
	// recovery is how much of its bound a rate regains in a second.
	recovery = 1.0 / 20
	// slowest is the lowest rate, in units per second: about one small delete in two seconds.
	slowest = 0.5
	// leastMeasured is the lowest rate that is taken for one that was too high, where there is no ceiling: in the first
	// moments of a run too little was consumed to tell. Where the service allows less, it refuses again.
	leastMeasured = 100
)

// newPacer returns a pacer with a ceiling in units per second, 0 for none.
func newPacer(units float64) *pacer {
	now, ceiling := time.Now(), cmp.Or(units, math.Inf(1))
	return &pacer{
		turnstile: make(chan struct{}, 1), ceiling: ceiling, rate: ceiling, step: ceiling * recovery,
		next: now, changed: now, windowed: now,
	}
}

// current returns the rate that is allowed now.
func (p *pacer) current() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recover(time.Now())
	return p.rate
}

// take waits for the turn of an operation that is expected to consume the estimate.
func (p *pacer) take(ctx context.Context, estimate float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.turnstile <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.turnstile }()
	pause := time.Until(p.reserve(estimate))
	if pause <= 0 {
		return nil
	}
	return backoff.Sleep(ctx, pause)
}

// reserve returns when the turn is.
func (p *pacer) reserve(estimate float64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.recover(now)
	if p.next.Before(now) {
		p.next = now // unused capacity is lost: no bursts
	}
	turn := p.next
	p.move(estimate)
	return turn
}

// spend corrects the estimate of an operation by what it has consumed.
func (p *pacer) spend(estimate, units float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move(units - estimate)
	p.spent += units
	if now := time.Now(); now.Sub(p.windowed) >= time.Second {
		p.recent = p.spent / now.Sub(p.windowed).Seconds()
		p.spent, p.windowed = 0, now
	}
}

func (p *pacer) move(units float64) {
	if math.IsInf(p.rate, 1) {
		return
	}
	p.next = p.next.Add(time.Duration(units / p.rate * float64(time.Second)))
}

// throttled slows down. Where there is no ceiling, the rate that was too high is measured.
func (p *pacer) throttled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.recover(now)
	if !p.slowed.IsZero() && now.Sub(p.slowed) < slowPause {
		return
	}
	p.slowed = now
	if math.IsInf(p.rate, 1) {
		p.rate = max(p.recent, p.spent/max(now.Sub(p.windowed), slowPause).Seconds(), leastMeasured)
		p.step = p.rate * recovery
	}
	p.rate = min(max(p.rate*slowDown, slowest), p.ceiling)
}

// recover lets the rate grow.
func (p *pacer) recover(now time.Time) {
	if p.rate < p.ceiling && !math.IsInf(p.rate, 1) {
		p.rate = min(p.rate+p.step*now.Sub(p.changed).Seconds(), p.ceiling)
	}
	p.changed = now
}
