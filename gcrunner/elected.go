package gcrunner

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Elected describes the elected process to those that stand by.
type Elected struct {
	// Name is the name of its machine, with the number of the process.
	Name string
	// Since is when it was elected, by its clock.
	Since time.Time
	// Rules are its rules.
	Rules Rules
}

// notice is what the record of the election holds, for people. Term is the lease that it is about: what an earlier
// process has left does not count.
type notice struct {
	Elected

	Term string
}

// announce stores which process is elected. Where it fails, the others do not know, and nothing else is lost.
func (e *Election) announce(ctx context.Context, record storage.Record) {
	name, err := os.Hostname()
	if err != nil {
		name = "a machine without a name"
	}
	name = fmt.Sprintf("%s, process %d", name, os.Getpid())
	text, err := json.Marshal(notice{
		Term: record.Lease.ID, Elected: Elected{Name: name, Since: e.backend.Now().UTC(), Rules: e.rules},
	})
	if err != nil {
		return
	}
	seen := record
	record.Data, record.Version, record.UpdatedAt = text, storage.NewVersion(), e.backend.Now()
	_ = e.backend.Driver.Put(ctx, record, storage.IfUnchanged(seen))
}

// elected returns the elected process, nil if it is not known.
func (e *Election) elected(ctx context.Context) *Elected {
	record, found, err := e.backend.Driver.Get(ctx, electionKey, storage.Eventual)
	var n notice
	if err != nil || !found || record.Lease.Free() || json.Unmarshal(record.Data, &n) != nil || n.Term != record.Lease.ID {
		return nil
	}
	return &n.Elected
}
