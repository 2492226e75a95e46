package gcrunner

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Elected is the process that is elected, as those that stand by know it.
type Elected struct {
	// Name is that of its machine, and the number of the process.
	Name string
	// Since is when it was elected, by its clock.
	Since time.Time
	// Rules are those that it collects by.
	Rules Rules
}

// noticeKey is the record by which the elected process says who it is.
const noticeKey = storage.ReservedPrefix + "collector-elected"

// notice is what that record holds. Term is the lease that it is about: what an earlier process has left does not count.
type notice struct {
	Elected

	Term string
}

// announce says who is elected. It is for people: where it fails, nobody is told, and nothing else is lost.
func (e *Election) announce(ctx context.Context, term storage.Lease) {
	name, err := os.Hostname()
	if err != nil {
		name = "a machine without a name"
	}
	text, err := json.Marshal(notice{
		Term:    term.ID,
		Elected: Elected{Name: fmt.Sprintf("%s, process %d", name, os.Getpid()), Since: e.backend.Now().UTC(), Rules: e.rules},
	})
	if err == nil {
		_ = e.backend.Driver.Put(ctx, reservedRecord(noticeKey, text), storage.Always())
	}
}

// elected returns who is elected, nil where that is not known.
func (e *Election) elected(ctx context.Context) *Elected {
	lease, found, err := e.backend.Driver.Get(ctx, electionKey, storage.Eventual)
	if err != nil || !found || lease.Lease.Free() {
		return nil
	}
	record, found, err := e.backend.Driver.Get(ctx, noticeKey, storage.Eventual)
	var n notice
	if err != nil || !found || json.Unmarshal(record.Data, &n) != nil || n.Term != lease.Lease.ID {
		return nil
	}
	return &n.Elected
}
