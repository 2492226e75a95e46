package drivertest_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// fault is a way to break the contract.
type fault struct {
	name   string
	driver func(*memory.Driver) storage.Driver
	found  []string
}

func faults() []fault {
	return []fault{
		{"counts versions", func(m *memory.Driver) storage.Driver {
			return &counting{Driver: m, counts: map[string]int{}}
		}, []string{"D-GET-02", "I1"}},
		{"judges expiry in Get", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, get: func(r storage.Record, found bool) (storage.Record, bool) {
				return r, found && !r.Expired(time.Now())
			}}
		}, []string{"D-GET-04"}},
		{"finds in eventual reads what is not there", func(m *memory.Driver) storage.Driver {
			return &eventual{
				Driver: m, first: map[string]storage.Record{},
				answer: func(_, current storage.Record) (storage.Record, bool) {
					return current, true
				},
			}
		}, []string{"D-GET-01"}},
		{"mixes writes in eventual reads", func(m *memory.Driver) storage.Driver {
			return &eventual{
				Driver: m, first: map[string]storage.Record{},
				answer: func(first, current storage.Record) (storage.Record, bool) {
					current.Data = first.Data
					return current, current.Key != ""
				},
			}
		}, []string{"D-GET-03"}},
		{"forgets how long a lease is", altersPut(func(r *storage.Record) { r.Lease.Duration = 0 }), []string{"D-GET-02"}},
		{
			"forgets what a record was made from", altersPut(func(r *storage.Record) { r.Ancestry = "" }),
			[]string{"D-GET-02", "D-PUT-07"},
		},
		{"keeps one ancestor only", altersPut(func(r *storage.Record) {
			r.Ancestry = r.Ancestry[:min(len(r.Ancestry), 10)]
		}), []string{"D-GET-02"}},
		{"leaves the ancestry on Put", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if old, found, _ := m.Get(context.Background(), r.Key, storage.Strong); found && r.Ancestry == "" &&
					r.CreatedAt.IsZero() {
					r.Ancestry = old.Ancestry
				}
				return r, c
			}}
		}, []string{"D-PUT-07"}},
		{"deletes a neighbour", func(m *memory.Driver) storage.Driver {
			return &neighbourly{Driver: m, prev: map[string]string{}}
		}, []string{"D-PUT-02"}},
		{
			"passes payloads through one buffer", func(m *memory.Driver) storage.Driver { return &buffered{Driver: m} },
			[]string{"D-CONC-09"},
		},
		{"reads in two steps", func(m *memory.Driver) storage.Driver { return piecemeal{m} }, []string{"D-CONC-06"}},
		{"cuts the expiry to seconds", altersPut(func(r *storage.Record) {
			r.ExpiresAt = r.ExpiresAt.Truncate(time.Second)
		}), []string{"D-EXP-01", "D-EXP-04"}},
		{"cuts the expiry to microseconds", altersPut(func(r *storage.Record) {
			r.ExpiresAt = r.ExpiresAt.Truncate(time.Microsecond)
		}), []string{"D-EXP-01", "D-EXP-02"}},
		{"keeps the expiry in 64 bits of nanoseconds", altersPut(func(r *storage.Record) {
			r.ExpiresAt = time.Unix(0, r.ExpiresAt.UnixNano())
		}), []string{"D-EXP-01", "D-EXP-03"}},
		{"keeps the wall clock of another zone", altersPut(func(r *storage.Record) {
			e := r.ExpiresAt
			r.ExpiresAt = time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(), e.Nanosecond(), time.UTC)
		}), []string{"D-EXP-02"}},
		{"treats an empty payload as absent", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, get: func(r storage.Record, found bool) (storage.Record, bool) {
				return r, found && len(r.Data) > 0
			}}
		}, []string{"D-DATA-01"}},
		{"ends payloads at NUL", altersPut(func(r *storage.Record) {
			r.Data, _, _ = bytes.Cut(r.Data, []byte{0})
		}), []string{"D-DATA-02"}},
		{"cuts payloads at 64 KB", altersPut(func(r *storage.Record) {
			r.Data = r.Data[:min(len(r.Data), 1<<16)]
		}), []string{"D-DATA-03"}},
		{"leaves the lease on Put", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if old, found, _ := m.Get(context.Background(), r.Key, storage.Strong); found && r.Lease.Free() {
					r.Lease = old.Lease
				}
				return r, c
			}}
		}, []string{"D-PUT-01", "D-PUT-06"}},
		{"forgets the creation on overwrite", altersPut(func(r *storage.Record) {
			if r.CreatedAt.IsZero() {
				r.CreatedAt = r.UpdatedAt
			}
		}), []string{"D-PUT-04"}},
		{"keeps the last write to the second", altersPut(func(r *storage.Record) {
			r.UpdatedAt = r.UpdatedAt.Truncate(time.Second)
		}), []string{"D-GET-05"}},
		{"does not know when a record was created", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if _, found, _ := m.Get(context.Background(), r.Key, storage.Strong); !found && r.CreatedAt.IsZero() {
					r.CreatedAt = time.Unix(0, 0)
				}
				return r, c
			}}
		}, []string{"D-PUT-03"}},
		{"keeps the creation of what is expired", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, put: func(r storage.Record, c storage.Condition) (storage.Record, storage.Condition) {
				if old, found, _ := m.Get(context.Background(), r.Key, storage.Strong); found && r.CreatedAt.IsZero() {
					r.CreatedAt = old.CreatedAt
				}
				return r, c
			}}
		}, []string{"D-PUT-05"}},
		{"shares memory with who puts", func(m *memory.Driver) storage.Driver {
			return &sharing{Driver: m, put: true, data: map[string][]byte{}}
		}, []string{"D-MEM-01"}},
		{"shares memory with who gets", func(m *memory.Driver) storage.Driver {
			return &sharing{Driver: m, get: true, data: map[string][]byte{}}
		}, []string{"D-MEM-02"}},
		{"shares memory in conflicts", func(m *memory.Driver) storage.Driver {
			return &sharing{Driver: m, conflict: true, data: map[string][]byte{}}
		}, []string{"D-MEM-03"}},
		{"ignores case", func(m *memory.Driver) storage.Driver {
			return rekeyed{m, strings.ToLower}
		}, []string{"D-KEY-05"}},
		{"trims blanks from keys", func(m *memory.Driver) storage.Driver {
			return rekeyed{m, strings.TrimSpace}
		}, []string{"D-KEY-05"}},
		{"cuts keys at 2,000 bytes", func(m *memory.Driver) storage.Driver {
			return rekeyed{m, func(key string) string { return key[:min(len(key), 2000)] }}
		}, []string{"D-KEY-02"}},
		{"repairs invalid keys", func(m *memory.Driver) storage.Driver {
			return rekeyed{m, func(key string) string {
				return "k" +
					strings.ToValidUTF8(strings.ReplaceAll(key, "\x00", "0"), "?")
			}}
		}, []string{"D-KEY-02"}},
		{"judges expiry a nanosecond late", altersCondition(func(c storage.Condition) storage.Condition {
			c.At = c.At.Add(-1)
			return c
		}), []string{"D-EXP-04"}},
		{"judges expiry by seconds", altersCondition(func(c storage.Condition) storage.Condition {
			c.At = c.At.Truncate(time.Second)
			return c
		}), []string{"D-EXP-04"}},
		{"takes versions for all there is to IfVersion", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindVersion || c.Kind == storage.KindVersionAndLease {
				c.At = time.Time{}
			}
			return c
		}), []string{"D-COND-01", "I2_NoRevivalAfterExpiry"}},
		{"takes IfVersionAndLease for IfVersion", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindVersionAndLease {
				c.Kind = storage.KindVersion
			}
			return c
		}), []string{"D-COND-01", "I6"}},
		{"takes IfExpiredAndFree for IfFree", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindExpiredAndFree {
				c = storage.IfFree(time.Time{})
			}
			return c
		}), []string{"D-COND-03", "I7_CollectionSparesRenewed"}},
		{
			"sees no lease in IfExpiredAndFree", func(m *memory.Driver) storage.Driver { return overlooking{m} },
			[]string{"D-COND-03", "I7_CollectionSparesRenewed"},
		},
		{"takes IfUnchanged for IfVersion", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindUnchanged {
				c = storage.IfVersion(c.Version, time.Time{})
			}
			return c
		}), []string{"D-COND-01", "D-EXP-04", "I7_CollectionSparesRenewed"}},
		{"sees no lease in IfUnchanged", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindUnchanged && c.LeaseID == "" {
				c = storage.IfVersion(c.Version, c.At.Add(-1))
			}
			return c
		}), []string{"D-COND-01", "I7_CollectionSparesRenewed"}},
		{"takes IfFree for IfLive", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindFree {
				c.Kind = storage.KindLive
			}
			return c
		}), []string{"D-COND-01", "D-COND-06", "D-LEASE-04", "D-LEASE-07_OneAcquirer"}},
		{"takes IfFreeOrUnchanged for IfLive", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindFreeOrUnchanged {
				c.Kind = storage.KindLive
			}
			return c
		}), []string{"D-COND-01", "D-COND-06", "D-LEASE-05", "D-LEASE-08", "D-LEASE-09"}},
		{"judges no expiry of what is acquired", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Kind == storage.KindFree || c.Kind == storage.KindFreeOrUnchanged {
				c.At = time.Time{}
			}
			return c
		}), []string{"D-COND-01", "D-EXP-04", "D-LEASE-03"}},
		{"takes what it does not know for Always", altersCondition(func(c storage.Condition) storage.Condition {
			if c.Validate() != nil {
				return storage.Always()
			}
			return c
		}), []string{"D-COND-05"}},
		{"updates without its condition", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, update: func(change storage.Change,
				_ storage.Condition,
			) (storage.Change, storage.Condition) {
				return change, storage.Always()
			}}
		}, []string{"D-COND-02", "D-UPD-04", "D-CONC-03", "I6"}},
		{
			"creates on update", func(m *memory.Driver) storage.Driver { return upserting{m} },
			[]string{"D-UPD-01", "D-CONC-08", "I2", "I3"},
		},
		{"cuts the expiry to seconds on update", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, update: func(change storage.Change,
				c storage.Condition,
			) (storage.Change, storage.Condition) {
				change.ExpiresAt = change.ExpiresAt.Truncate(time.Second)
				return change, c
			}}
		}, []string{"D-UPD-02", "D-EXP-05"}},
		{"cannot free a lease", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, update: func(change storage.Change,
				c storage.Condition,
			) (storage.Change, storage.Condition) {
				if change.Lease != nil && change.Lease.Free() {
					change.Lease = nil
				}
				return change, c
			}}
		}, []string{"D-UPD-03", "I6"}},
		{"updates one thing at a time", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, update: func(change storage.Change,
				c storage.Condition,
			) (storage.Change, storage.Condition) {
				if change.Lease != nil {
					change.ExpiresAt = time.Time{}
				}
				return change, c
			}}
		}, []string{"D-UPD-05"}},
		{"shares memory with who updates", func(m *memory.Driver) storage.Driver {
			return &borrowing{Driver: m, leases: map[string]*storage.Lease{}}
		}, []string{"D-MEM-04"}},
		{"updates what it read before", func(m *memory.Driver) storage.Driver { return rereading{m} }, []string{"D-CONC-07"}},
		{"deletes without its condition", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, delete: func(storage.Condition) storage.Condition { return storage.Always() }}
		}, []string{"D-COND-03", "I7"}},
		{"does not delete under a lease", func(m *memory.Driver) storage.Driver { return leaseFirst{m} }, []string{"I3"}},
		{
			"makes a conflict of deleting nothing", func(m *memory.Driver) storage.Driver { return strictDelete{m} },
			[]string{"D-DEL-02"},
		},
		{
			"judges before it writes", func(m *memory.Driver) storage.Driver { return &racing{Driver: m} },
			[]string{"D-CONC-01", "D-CONC-02", "D-CONC-04"},
		},
		{
			"returns conflicts without the record", altersConflict(func(e *storage.ConflictError) { e.Current = nil }),
			[]string{"D-COND-01", "D-COND-02", "D-COND-03"},
		},
		{"returns conflicts without the payload", altersConflict(func(e *storage.ConflictError) {
			if e.Current != nil {
				e.Current.Data = nil
			}
		}), []string{"D-COND-01", "D-COND-02", "D-COND-03"}},
		{
			"ignores the context", func(m *memory.Driver) storage.Driver { return patient{m} },
			[]string{"D-CTX-01", "D-CTX-02", "D-CTX-03"},
		},
		{
			"knows of no refusal", func(m *memory.Driver) storage.Driver { return doubtful{m} },
			[]string{"D-CTX-02", "D-COND-01", "D-COND-05", "D-DATA-04"},
		},
		{
			"says of what it wrote that the context has ended", func(m *memory.Driver) storage.Driver { return late{m} },
			[]string{"D-CTX-04"},
		},
		{"answers late reads with a miss", func(m *memory.Driver) storage.Driver { return silent{m} }, []string{"D-CTX-01"}},
		{"prints keys in errors", func(m *memory.Driver) storage.Driver { return talkative{m} }, []string{"D-COND-01", "I1"}},
		{"reports nothing to the meter", func(m *memory.Driver) storage.Driver { return unmetered{m} }, []string{"D-USE-01"}},
		{"panics", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, get: func(storage.Record, bool) (storage.Record, bool) { panic("broken") }}
		}, []string{"D-GET-01"}},
		{"accepts what is too large", func(m *memory.Driver) storage.Driver { return m }, []string{"D-DATA-04"}},
		{"drops what is too large", func(m *memory.Driver) storage.Driver { return dropping{m} }, []string{"D-DATA-04"}},
		{"acquires without its condition", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, acquire: func(l storage.Lease, _ storage.Condition) (storage.Lease, storage.Condition) {
				return l, storage.Always()
			}}
		}, []string{"D-COND-06", "D-LEASE-03", "D-LEASE-04", "D-LEASE-05", "D-LEASE-07", "D-LEASE-08"}},
		{"does not tell the lease it acquired", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, acquired: func(r *storage.Record) { r.Lease = storage.Lease{} }}
		}, []string{"D-LEASE-01", "D-COND-06"}},
		{"acquires without the payload", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, acquired: func(r *storage.Record) { r.Data = nil }}
		}, []string{"D-LEASE-01", "D-COND-06"}},
		{"forgets when an acquired lease ends", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, acquire: func(l storage.Lease, c storage.Condition) (storage.Lease, storage.Condition) {
				l.ExpiresAt = time.Time{}
				return l, c
			}}
		}, []string{"D-LEASE-01"}},
		{"takes a renewed lease for unchanged", acquires(func(
			ctx context.Context, m *memory.Driver, key string, l storage.Lease, c storage.Condition,
		) (storage.Record, error) {
			if r, found, _ := m.Get(ctx, key, storage.Strong); found && c.Kind == storage.KindFreeOrUnchanged {
				c.LeaseExpiresAt = r.Lease.ExpiresAt
			}
			return m.Acquire(ctx, key, l, c)
		}), []string{"D-LEASE-05", "D-COND-06"}},
		{"takes over a lease that was seen, but not a free one", acquires(func(
			ctx context.Context, m *memory.Driver, key string, l storage.Lease, c storage.Condition,
		) (storage.Record, error) {
			if r, found, _ := m.Get(ctx, key, storage.Strong); found && r.Lease.Free() && c.Kind == storage.KindFreeOrUnchanged {
				return storage.Record{}, &storage.ConflictError{Current: &r}
			}
			return m.Acquire(ctx, key, l, c)
		}), []string{"D-LEASE-05", "D-COND-06"}},
		{"acquires tombstones", acquires(func(
			ctx context.Context, m *memory.Driver, key string, l storage.Lease, c storage.Condition,
		) (storage.Record, error) {
			if r, found, _ := m.Get(ctx, key, storage.Strong); found && r.Ended() {
				c = storage.IfLive(c.At)
			}
			return m.Acquire(ctx, key, l, c)
		}), []string{"D-LEASE-12"}},
		{
			"acquires in two steps", acquires(acquiresInSteps),
			[]string{"D-LEASE-07", "D-LEASE-08", "D-LEASE-09"},
		},
		{
			"acquires by writing back what it read", acquires(acquiresByPut),
			[]string{"D-LEASE-07", "I3_DeleteWinsOverAcquisition"},
		},
		{"returns what it read before it acquired", acquires(readsThenAcquires), []string{"D-LEASE-10"}},
		{"meets its own lease", acquires(acquiresOnce), []string{"D-LEASE-06"}},
		{
			"creates on acquisition", acquires(acquiresAnything),
			[]string{"D-LEASE-02", "D-COND-06", "I3_DeleteWinsOverAcquisition"},
		},
		{"finds fault with keys of acquisitions", acquires(acquiresNoOddKeys), []string{"D-KEY-09"}},
		{"ends leases by its clock", acquires(honoursEnd), []string{"D-LEASE-04"}},
		{"shares memory with who acquires", func(m *memory.Driver) storage.Driver {
			return &lending{Driver: m, data: map[string][]byte{}}
		}, []string{"D-MEM-07"}},
		{"draws missing IDs of leases", func(m *memory.Driver) storage.Driver { return renames{m} }, []string{"D-LEASE-11"}},
		{"releases any lease", func(m *memory.Driver) storage.Driver { return releasesAny{m} }, []string{
			"I6_LateReleaseSparesNextLease", "I6_FormerHolderSparesAcquisition",
		}},
		{"draws missing versions", altersPut(func(r *storage.Record) {
			if r.Version == "" {
				r.Version = storage.NewVersion()
			}
		}), []string{"D-KEY-07"}},
		{"deletes one batch of 25 only", func(m *memory.Driver) storage.Driver {
			return batching{m, func(keys []string) []string { return keys[:min(len(keys), 25)] }}
		}, []string{"D-BATCH-01"}},
		{"stops a batch at an odd key", func(m *memory.Driver) storage.Driver {
			return batching{m, func(keys []string) []string { return keys[:max(slices.Index(keys, ""), 0)] }}
		}, []string{"D-BATCH-01", "D-BATCH-02"}},
		{"sorts the keys of the caller", func(m *memory.Driver) storage.Driver {
			return batching{m, func(keys []string) []string { slices.Sort(keys); return keys }}
		}, []string{"D-BATCH-02"}},
		{"deletes batches although the context has ended", func(m *memory.Driver) storage.Driver {
			return impatient{batching{m, nil}}
		}, []string{"D-BATCH-03"}},
		{
			"scans what was deleted", func(m *memory.Driver) storage.Driver { return &haunted{Driver: m} },
			[]string{"D-SCAN-01"},
		},
		{
			"scans one page only", altersScan(func(_ storage.ScanRequest, page *storage.Page) { page.Next = "" }),
			[]string{"D-SCAN-02"},
		},
		{"scans from the start again", altersScan(func(r storage.ScanRequest, page *storage.Page) {
			if r.Start == "" && len(page.Records) > 0 {
				page.Next = "\x01"
			}
		}), []string{"D-SCAN-02"}},
		{"loses a record between pages", altersScan(func(_ storage.ScanRequest, page *storage.Page) {
			if page.Next != "" {
				page.Records = page.Records[:len(page.Records)-1]
			}
		}), []string{"D-SCAN-02", "D-SCAN-09"}},
		{"returns every record in each segment", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, request: func(r storage.ScanRequest) storage.ScanRequest {
				r.Segment, r.Segments = 0, 0
				return r
			}}
		}, []string{"D-SCAN-05"}},
		{"returns an empty payload for none", altersScan(func(r storage.ScanRequest, page *storage.Page) {
			for i := range page.Records {
				if r.WithoutData {
					page.Records[i].Data = []byte{}
				}
			}
		}), []string{"D-SCAN-06"}},
		{"scans without leases", altersScan(func(_ storage.ScanRequest, page *storage.Page) {
			for i := range page.Records {
				page.Records[i].Lease = storage.Lease{}
			}
		}), []string{"D-SCAN-02", "D-SCAN-06"}},
		{"scans without ancestries", altersScan(func(_ storage.ScanRequest, page *storage.Page) {
			for i := range page.Records {
				page.Records[i].Ancestry = ""
			}
		}), []string{"D-SCAN-02", "D-SCAN-06"}},
		{"hides expired records from scans", altersScan(func(_ storage.ScanRequest, page *storage.Page) {
			page.Records = slices.DeleteFunc(page.Records, func(r storage.Record) bool { return r.Expired(time.Now()) })
		}), []string{"D-SCAN-08"}},
		{"ignores the limit", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, request: func(r storage.ScanRequest) storage.ScanRequest {
				r.Limit = max(r.Limit, 0) * 2
				return r
			}}
		}, []string{"D-SCAN-03"}},
		{"bends invalid scans", func(m *memory.Driver) storage.Driver {
			return altered{Driver: m, request: func(r storage.ScanRequest) storage.ScanRequest {
				if r.Validate() != nil {
					return storage.ScanRequest{}
				}
				return r
			}}
		}, []string{"D-SCAN-10"}},
		{"indexes one shard of three", func(m *memory.Driver) storage.Driver { return unsharded{m} }, []string{"D-INDEX-01"}},
		{"indexes what lives", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			r.Cutoff = r.Cutoff.Add(time.Hour)
			return m.ScanExpired(ctx, r)
		}), []string{"D-INDEX-02"}},
		{"tells expiries a day late", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			page, err := m.ScanExpired(ctx, r)
			for i := range page.Entries {
				page.Entries[i].ExpiredBy = page.Entries[i].ExpiredBy.Add(24 * time.Hour)
			}
			return page, err
		}), []string{"D-INDEX-02"}},
		{"indexes what is put for ever", func(m *memory.Driver) storage.Driver {
			return stale{m, memory.New(memory.WithExpiryIndex(3))}
		}, []string{"D-INDEX-03"}},
		{"takes what is leased out of the index", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			page, err := m.ScanExpired(ctx, r)
			page.Entries = slices.DeleteFunc(page.Entries, func(e storage.ExpiryEntry) bool {
				r, found, _ := m.Get(ctx, e.Key, storage.Strong)
				return found && !r.Lease.Free()
			})
			return page, err
		}), []string{"D-INDEX-05"}},
		{"goes on in an index by counting", indexes(countsEntries), []string{"D-INDEX-06"}},
		{"ignores the limit of an index", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			r.Limit *= 2
			return m.ScanExpired(ctx, r)
		}), []string{"D-INDEX-07"}},
		{"bends invalid requests of an index", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			if r.Validate(m.ExpiryShards()) != nil {
				r.Shard, r.Limit = 0, 0
			}
			return m.ScanExpired(ctx, r)
		}), []string{"D-INDEX-08"}},
		{"scans an index although the context has ended", indexes(func(
			ctx context.Context, m *memory.Driver, r storage.ExpiredRequest,
		) (storage.ExpiredPage, error) {
			return m.ScanExpired(context.WithoutCancel(ctx), r)
		}), []string{"D-INDEX-09"}},
	}
}
