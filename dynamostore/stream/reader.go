package stream

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Record is one record of a stream, as DynamoDB Streams has it.
type Record struct {
	// EventName says what was done: INSERT, MODIFY or REMOVE.
	EventName string
	// OldImage and NewImage are the item before and after it. One that the record does not have is nil.
	OldImage, NewImage map[string]types.AttributeValue
	// CreatedAt is the record's ApproximateCreationDateTime.
	CreatedAt time.Time
	// UserIdentity says who has done it, where that is DynamoDB's TTL.
	UserIdentity Identity
	// SequenceNumber is the place of the record in its shard.
	SequenceNumber string

	err error // what is wrong with it, for one that was parsed
}

// Identity is a user identity in a record of a stream.
type Identity struct{ Type, PrincipalID string }

// ttl is who removes what has expired.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
var ttl = Identity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}

// Names of events.
const (
	inserted = "INSERT"
	modified = "MODIFY"
	removed  = "REMOVE"
)

// Reader tells from records what became of sessions. It is made by [NewReader], and safe for concurrent use.
type Reader struct {
	store *sessionstore.Store
	table dynamostore.Table
}

// NewReader returns a reader for the stream of a table. The store is one on that table, with the secrets, the owners
// and the codec of those who write; nothing is read from it. Errors: what [dynamostore.Table.Validate] reports, and no
// store.
func NewReader(store *sessionstore.Store, table dynamostore.Table) (*Reader, error) {
	if store == nil {
		return nil, errors.New("stream: the store is nil; make one with dynamostore.New")
	}
	if err := table.Validate(); err != nil {
		return nil, err
	}
	return &Reader{store, table.WithDefaults()}, nil
}

// Read returns what became of a session, as [sessionstore.Store.Became] tells it. told is false where the record says
// nothing of a session, such as one of another item in a shared table.
//
// An error matches [storage.ErrCorrupt] or [sessionstore.ErrInvalidOwner]: an image cannot be read, or the session in
// it cannot. What is known all the same is in the change, mostly the name of the session. The record will not read
// better later, unless it lacks a secret that is given then.
func (r *Reader) Read(record Record) (change sessionstore.Lifecycle, told bool, err error) {
	if err := record.check(); err != nil {
		return change, false, err
	}
	before, isBefore, beforeErr := r.table.Record(record.OldImage)
	after, isAfter, afterErr := r.table.Record(record.NewImage)
	key := after.Key
	if key == "" {
		key = before.Key
	}
	switch err := errors.Join(beforeErr, afterErr); {
	case !isBefore && !isAfter, storage.Reserved(key):
		return change, false, nil
	case err != nil:
		return sessionstore.Lifecycle{Session: fingerprint.Of(key)}, false, err
	}
	return r.store.Became(sessionstore.Write{
		Before: before, After: after, At: record.CreatedAt, ByTTL: record.UserIdentity == ttl,
	})
}

// check reports a record that lacks what its event has.
func (r Record) check() error {
	switch old, next := r.OldImage != nil, r.NewImage != nil; {
	case r.err != nil:
		return r.err
	case r.EventName != inserted && r.EventName != modified && r.EventName != removed:
		return &storage.CorruptError{Part: "stream record", Problem: "is of an event that is not known"}
	case old != (r.EventName != inserted) || next != (r.EventName != removed):
		return &storage.CorruptError{
			Part:    "stream record",
			Problem: "has not the images of its event; the table's stream must have NEW_AND_OLD_IMAGES",
		}
	}
	return nil
}

// Response is what a Lambda function answers to a batch, where its event source mapping has ReportBatchItemFailures:
// from which record the batch is to be sent again. Without failures, all is done.
type Response struct {
	BatchItemFailures []Failure `json:"batchItemFailures"`
}

// Failure names a record by its sequence number.
type Failure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

// Handle handles the event of a Lambda function: it calls tell for each record that tells of a session, in turn, and
// for each that cannot be read, with the error of [Reader.Read]. Where tell returns an error, or ctx ends, the response
// names the record, from which Lambda sends the batch again: so tell must bear to be told a change twice. A record that
// cannot be read is passed over where tell returns nil. An error of Handle itself says that the event is none.
func (r *Reader) Handle(
	ctx context.Context, event []byte,
	tell func(ctx context.Context, change sessionstore.Lifecycle, err error) error,
) (Response, error) {
	done := Response{BatchItemFailures: []Failure{}}
	records, err := ParseEvent(event)
	if err != nil {
		return done, err
	}
	for _, record := range records {
		change, told, err := r.Read(record)
		if !told && err == nil {
			continue
		}
		if ctx.Err() != nil || tell(ctx, change, err) != nil {
			done.BatchItemFailures = append(done.BatchItemFailures, Failure{record.SequenceNumber})
			break
		}
	}
	return done, nil
}
