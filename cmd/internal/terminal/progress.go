package terminal

import (
	"context"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far long work has come, on Err, where somebody sees it. It is for one goroutine.
type Progress struct {
	bar  *progressbar.ProgressBar // nil where nobody sees it
	from time.Time                // when it is first shown: quick work is not shown at all
	stop func()
}

const (
	// patience is how long work may take without being shown.
	patience = 200 * time.Millisecond
	// refresh is how often a bar is drawn at most.
	refresh = 100 * time.Millisecond
)

// NewProgress begins to show progress towards total; a total of 0 or less is not known. Done must be called in the end.
func (t *Terminal) NewProgress(what string, total int64) *Progress {
	if !t.Watched {
		return &Progress{}
	}
	if total <= 0 {
		total = -1
	}
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(t.Screen()),
		progressbar.OptionSetDescription(Quote(what)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(refresh),
		progressbar.OptionClearOnFinish(),
	)
	return &Progress{bar: bar, from: time.Now().Add(patience)}
}

// Set says how many are done. That there are more than were expected is fine: the total is an estimate.
func (p *Progress) Set(done int64) {
	if p.bar == nil || time.Now().Before(p.from) {
		return
	}
	if total := p.bar.GetMax64(); total > 0 && done >= total {
		p.bar.ChangeMax64(done + 1) // it would be over otherwise
	}
	_ = p.bar.Set64(done) // Where it cannot be shown, the work goes on.
}

// Done takes the bar away.
func (p *Progress) Done() {
	if p.stop != nil {
		p.stop()
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// Wait shows that something is being waited for, of which nothing else is known, until Done.
func (t *Terminal) Wait(ctx context.Context, what string) *Progress {
	p := t.NewProgress(what, 0)
	if p.bar == nil {
		return p
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(refresh)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if now.After(p.from) {
					_ = p.bar.RenderBlank()
				}
			}
		}
	}()
	p.stop = func() {
		cancel()
		<-ended
	}
	return p
}
