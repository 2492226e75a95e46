package storage

import (
	"context"
	"sync"
)

// Usage is what operations on storage consumed.
type Usage struct {
	// Calls counts the requests to the storage service; a request that a client library repeated by itself counts once.
	Calls int
	// Recovered counts the writes whose response was lost and that were found to have been applied.
	Recovered int
	// Throttled counts the attempts that the service refused because it has too many requests, and that were repeated:
	// those of requests that failed are told by their error, ErrThrottled.
	Throttled int
	// ReadUnits and WriteUnits are the consumed capacity units as the service reported them. DynamoDB bills writes
	// whose condition did not hold, and does not report them: their units are estimated, from the size of the record
	// in the way. Other requests that failed are not counted. Both are 0 on drivers that are not billed by the unit.
	ReadUnits, WriteUnits float64
}

// Meter adds up usage. It is safe for concurrent use. Its zero value is ready.
type Meter struct {
	mu    sync.Mutex
	usage Usage
	both  *[2]*Meter // of a context with a meter in one with a meter: what is added goes to these
}

// Add adds u. Drivers call it after each request. On a nil Meter it does nothing.
func (m *Meter) Add(u Usage) {
	if m == nil {
		return
	}
	if m.both != nil {
		m.both[0].Add(u)
		m.both[1].Add(u)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Calls += u.Calls
	m.usage.Recovered += u.Recovered
	m.usage.Throttled += u.Throttled
	m.usage.ReadUnits += u.ReadUnits
	m.usage.WriteUnits += u.WriteUnits
}

// Usage returns what has been added so far.
func (m *Meter) Usage() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usage
}

type meterKey struct{}

// WithMeter returns a context under which drivers report to m what they consume, and to the meter that ctx has already.
// A nil m is none, and takes that of ctx away.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	if outer := MeterFrom(ctx); m != nil && outer != nil && outer != m {
		m = &Meter{both: &[2]*Meter{m, outer}}
	}
	return context.WithValue(ctx, meterKey{}, m)
}

// MeterFrom returns the meter of ctx to Add to, or nil. Drivers ask the service for consumed capacity only where there
// is one.
func MeterFrom(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}
