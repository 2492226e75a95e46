package storage

import (
	"context"
	"fmt"
)

// Consistency is how fresh a read must be.
type Consistency uint8

const (
	// Strong reads see every write that was acknowledged before they began.
	Strong Consistency = iota
	// Eventual reads may miss the latest writes. They cost half on DynamoDB. Drivers that have no such thing read
	// strongly.
	Eventual
)

// Driver keeps records. The package comment says what all its methods have in common, and what the errors of writes
// mean. A driver whose storage has no Acquire or no Scan returns an error that matches [errors.ErrUnsupported] from it:
// it serves every strategy but Lease, or everything that lists no sessions.
//
// One more interface is optional, and found by type assertion: [ExpiryScanner].
type Driver interface {
	// Get returns the record under key, expired or not. A record that is there but cannot be read is a [*CorruptError].
	// A key that this driver can never hold (see [ErrInvalidKey]) is not found.
	Get(ctx context.Context, key string, consistency Consistency) (Record, bool, error)

	// Put stores the whole record, in place of any other under its key, if the condition holds. The record needs a
	// version that no other Put has used. A record that is there but cannot be read gives way to Always; for any other
	// condition, here and below, it is a *CorruptError. Errors: [*ConflictError], [*TooLargeError], [ErrInvalidKey],
	// [ErrUnavailable], [ErrOutcomeUnknown].
	Put(ctx context.Context, record Record, condition Condition) error

	// Update changes the expiry or the lease of the record under key, without sending its payload, if the condition
	// holds. It never creates a record: where there is none, it is a *ConflictError without a current record, whatever
	// the condition.
	Update(ctx context.Context, key string, change Change, condition Condition) error

	// Acquire sets the lease of the record under key if the condition holds, changes nothing else, and returns the
	// record as it is then. It never creates a record: where there is none, it is a *ConflictError without a current
	// record, whatever the condition. The lease needs an ID that no other acquisition has used; a record that already
	// has this very lease, because the response to an earlier attempt was lost, is success. A record that cannot be
	// read is a *CorruptError; it may then have the lease. A lease is renewed and released by Update, under [IfLease].
	Acquire(ctx context.Context, key string, lease Lease, condition Condition) (Record, error)

	// Delete removes the record under key if the condition holds. That there is none is success, whatever the
	// condition.
	Delete(ctx context.Context, key string, condition Condition) error

	// DeleteBatch removes the records under the keys, whatever they are, in as few calls as the storage can. Missing
	// ones are no error. It is not atomic: where it fails, some may be gone.
	DeleteBatch(ctx context.Context, keys []string) error

	// Scan returns the next page of records. It returns only this driver's records: on a table shared with others,
	// those within its key prefix. A page may be empty although more follow.
	Scan(ctx context.Context, request ScanRequest) (Page, error)

	// Namespace names what the records of this driver have in common, and others in the same storage do not, such as a
	// prefix of their keys. It is empty where there is nothing of the kind. Sessions are sealed for it: it is the same
	// for all processes that share the sessions, and stays so.
	Namespace() string
}

// ScanRequest asks for one page. Its zero value asks for the first page of everything.
type ScanRequest struct {
	// Segments divides the records into as many disjoint parts, which can be scanned at the same time. 0 and 1 mean
	// undivided. At most MaxSegments, DynamoDB's limit.
	Segments int
	// Segment says which part: 0 to Segments-1.
	Segment int
	// Start is where to go on: Page.Next of the page before, of the same Segment and Segments, also in another process.
	// Empty means from the beginning.
	Start Position
	// Limit bounds the records that are looked at for this page. 0 leaves it to the driver.
	Limit int
	// WithoutData leaves the payloads out. Records then say nothing about whether there is one.
	WithoutData bool
	// Consistency says how fresh the page must be.
	Consistency Consistency
}

// MaxSegments is the most segments a scan can be divided into.
const MaxSegments = 1_000_000

// Validate reports a request that no driver can serve.
func (r ScanRequest) Validate() error {
	switch {
	case r.Segments < 0 || r.Segments > MaxSegments:
		return fmt.Errorf("storage: a scan of %d segments; from 0 to %d are possible", r.Segments, MaxSegments)
	case r.Segment < 0 || r.Segment >= max(r.Segments, 1):
		return fmt.Errorf("storage: segment %d of a scan of %d segments; they count from 0", r.Segment, max(r.Segments, 1))
	case r.Limit < 0:
		return fmt.Errorf("storage: a scan limit of %d; it must not be negative", r.Limit)
	}
	return nil
}

// Position is a place in a scan. It is text to be kept and handed back, nothing to be read: it holds a key.
type Position string

// Page is one page of a scan.
type Page struct {
	// Records are the records of this page.
	Records []Record
	// Unreadable are the records that are within the scan but cannot be read. They do not end the scan: one bad record
	// must not hide all the others.
	Unreadable []Unreadable
	// Next is where the scan goes on, empty at its end.
	Next Position
}

// Unreadable is a record that cannot be read, because it was damaged, or written by somebody else.
type Unreadable struct {
	// Key is where it is.
	Key string
	// Err is a *CorruptError. It does not tell the key.
	Err error
	// Data is its payload, if that can be read: it may tell whose the record is.
	Data []byte
}
