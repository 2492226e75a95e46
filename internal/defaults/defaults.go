// Package defaults has what is done where nothing else is set: packages do it, and the configuration shows it.
package defaults

import "time"

// Of a collector.
const (
	// Concurrency is how many deletes are under way at once, and how many segments are scanned at once.
	Concurrency = 8
	// PageSize is how many records are looked at in one call, and also the most that are possible: with it, a run stays
	// within some 48 MiB of heap. Where more than four segments are scanned at once, pages are smaller.
	PageSize = 4000
	// StopTimeout is how long a run that is to end may take to finish its pages.
	StopTimeout = 5 * time.Second
	// ElectionLease is how long it takes until a process that has died is followed.
	ElectionLease = 15 * time.Second
)

// Of a DynamoDB client.
const (
	// AttemptTimeout bounds one attempt of a request. The SDK itself waits for an answer without end.
	AttemptTimeout = 2 * time.Second
	// OperationTimeout bounds a request with all its attempts.
	OperationTimeout = 5 * time.Second
	// MaxAttempts is how often a request is tried at most.
	MaxAttempts = 5
)

// Of an expiry index in DynamoDB.
const (
	// ExpiryShards is enough for 1,000 logins a second.
	ExpiryShards = 2
	// MaxExpiryShards is enough for half a million. Each shard costs half a read unit in each run of a collector.
	MaxExpiryShards = 1024
)

// Of a bbolt file.
const (
	// LockTimeout is how long opening it waits for another process.
	LockTimeout = time.Second
	// Grace is how long an expired record is kept.
	Grace = time.Minute
)

// Of a lease on a session, with the least that works: one call to storage and some.
const (
	LeaseDuration    = 5 * time.Second
	MinLeaseDuration = 100 * time.Millisecond
	LeaseMaxWait     = 10 * time.Second
	MinLeaseMaxWait  = 20 * time.Millisecond
	LeaseMaxWaiting  = 64
	MinLeasePoll     = 50 * time.Millisecond
)
