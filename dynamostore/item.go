package dynamostore

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// item is an item as the SDK has it.
type item = map[string]types.AttributeValue

// itemValues holds the values of an item in one piece of memory.
type itemValues struct {
	partition, sort, version, ancestry, leaseID                    types.AttributeValueMemberS
	data                                                           types.AttributeValueMemberB
	created, updated, ttl, expiry, leaseDuration, leaseExpiryValue types.AttributeValueMemberN
}

// key returns the primary key of a storage key.
func (t *Table) key(key string) item {
	k := item{t.PartitionKey.Name: &types.AttributeValueMemberS{Value: t.PartitionKey.value(key)}}
	if t.SortKey.Name != "" {
		k[t.SortKey.Name] = &types.AttributeValueMemberS{Value: t.SortKey.value(key)}
	}
	return k
}

// encode returns the item of a record.
func (t *Table) encode(r storage.Record) item {
	v := &itemValues{}
	v.partition.Value = t.PartitionKey.value(r.Key)
	v.data.Value = r.Data
	if v.data.Value == nil {
		v.data.Value = []byte{} // nil would be sent as no value at all
	}
	v.version.Value = r.Version
	var buffer [96]byte // four numbers of at most 23 characters
	b := appendInstant(buffer[:0], r.CreatedAt)
	created := len(b)
	b = appendInstant(b, r.UpdatedAt)
	updated := len(b)
	b = appendTTL(b, r.ExpiresAt)
	ttl := len(b)
	numbers := string(appendInstant(b, r.ExpiresAt))
	v.created.Value = numbers[:created]
	v.updated.Value = numbers[created:updated]
	v.ttl.Value = numbers[updated:ttl]
	v.expiry.Value = numbers[ttl:]

	a := &t.Attributes
	it := item{
		t.PartitionKey.Name: &v.partition, a.Data: &v.data, a.CreatedAt: &v.created, a.UpdatedAt: &v.updated,
		a.TTL: &v.ttl, a.Expiry: &v.expiry, a.Version: &v.version,
	}
	if t.SortKey.Name != "" {
		v.sort.Value = t.SortKey.value(r.Key)
		it[t.SortKey.Name] = &v.sort
	}
	if t.hasExpiryIndex() {
		t.index(it, a.ExpiryShard, a.ExpiryHour, r.Key, r.ExpiresAt)
	}
	if r.Ancestry != "" {
		v.ancestry.Value = r.Ancestry
		it[a.Ancestry] = &v.ancestry
	}
	if !r.Lease.Free() {
		v.leaseID.Value = r.Lease.ID
		v.leaseDuration.Value = formatSeconds(r.Lease.Duration)
		v.leaseExpiryValue.Value = formatInstant(r.Lease.ExpiresAt)
		it[a.LeaseID], it[a.LeaseDuration], it[a.LeaseExpiry] = &v.leaseID, &v.leaseDuration, &v.leaseExpiryValue
	}
	return it
}

// decode returns the record of an item. ours is false where the item's key is not that of a session, as with other
// items of a shared table. Whatever the item holds, it does not panic.
func (t *Table) decode(it item) (r storage.Record, ours bool, err error) {
	key, ours := t.cutKey(it)
	if !ours {
		return storage.Record{}, false, nil
	}
	a := &t.Attributes
	d := decoder{item: it}
	r.Key = key
	r.Data = d.binary(a.Data)
	r.Version = d.text(a.Version, required)
	r.ExpiresAt = d.instant(a.Expiry, required)
	r.CreatedAt = d.instant(a.CreatedAt, optional)
	r.UpdatedAt = d.instant(a.UpdatedAt, optional)
	r.Ancestry = d.text(a.Ancestry, optional)
	if it[a.LeaseID] != nil { // then conditions ask for all three
		r.Lease.ID = d.text(a.LeaseID, required)
		r.Lease.Duration = d.seconds(a.LeaseDuration)
		r.Lease.ExpiresAt = d.instant(a.LeaseExpiry, required)
	}
	if d.err != nil {
		return storage.Record{}, true, d.err
	}
	return r, true, nil
}

// Record returns the record of an item, as a stream or an export shows it: a session, or what the store keeps beside
// the sessions. ours is false where the item's key is not of this layout, as with other items of a shared table. An
// error matches [storage.ErrCorrupt], and comes with a record that has nothing but its key. It makes no call.
func (t Table) Record(it map[string]types.AttributeValue) (record storage.Record, ours bool, err error) {
	t = t.WithDefaults()
	record, ours, err = t.decode(it)
	if ours && err == nil && record.Data == nil {
		err = t.withoutData()
	}
	if err != nil {
		key, _ := t.cutKey(it)
		return storage.Record{Key: key}, true, err
	}
	return record, ours, nil
}

// withoutData is the error about an item without data.
func (t *Table) withoutData() error {
	return &storage.CorruptError{Part: "attribute " + strconv.Quote(t.Attributes.Data), Problem: "is missing"}
}

// cutKey returns the storage key of an item, if it has one.
func (t *Table) cutKey(it item) (string, bool) {
	partition, ok := it[t.PartitionKey.Name].(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	key, ok := t.PartitionKey.cut(partition.Value)
	if !ok || t.SortKey.Name == "" {
		return key, ok
	}
	sort, ok := it[t.SortKey.Name].(*types.AttributeValueMemberS)
	return key, ok && sort.Value == t.SortKey.value(key)
}

// presence says whether an item must have an attribute.
type presence bool

const (
	required presence = true
	optional presence = false
)

// decoder reads attributes and keeps the first problem.
type decoder struct {
	item item
	err  error
}

func (d *decoder) fail(name, problem string) {
	if d.err == nil {
		d.err = &storage.CorruptError{Part: "attribute " + strconv.Quote(name), Problem: problem}
	}
}

// binary reads the payload. A missing one is left to the caller, which may not have asked for it.
func (d *decoder) binary(name string) []byte {
	switch v := d.item[name].(type) {
	case nil:
		return nil
	case *types.AttributeValueMemberB:
		if v.Value == nil {
			return []byte{}
		}
		return v.Value
	default:
		d.fail(name, "is not binary (B)")
		return nil
	}
}

func (d *decoder) text(name string, need presence) string {
	switch v := d.item[name].(type) {
	case nil:
		if need == required {
			d.fail(name, "is missing")
		}
		return ""
	case *types.AttributeValueMemberS:
		if need == required && v.Value == "" {
			d.fail(name, "is empty")
		}
		return v.Value
	default:
		d.fail(name, "is not a string (S)")
		return ""
	}
}

func (d *decoder) number(name string, need presence) string {
	switch v := d.item[name].(type) {
	case nil:
		if need == required {
			d.fail(name, "is missing")
		}
		return ""
	case *types.AttributeValueMemberN:
		return v.Value
	default:
		d.fail(name, "is not a number (N)")
		return ""
	}
}

func (d *decoder) instant(name string, need presence) time.Time {
	number := d.number(name, need)
	if number == "" {
		return time.Time{}
	}
	instant, ok := parseInstant(number)
	if !ok {
		d.fail(name, "is not an instant in Unix seconds")
	}
	return instant
}

func (d *decoder) seconds(name string) time.Duration {
	number := d.number(name, required)
	if number == "" {
		return 0
	}
	since, ok := parseInstant(number)
	if !ok {
		d.fail(name, "is not a duration in seconds")
		return 0
	}
	return since.Sub(time.Unix(0, 0))
}

// formatSeconds writes a duration as a number of seconds.
func formatSeconds(d time.Duration) string { return formatInstant(time.Unix(0, int64(d))) }

// checkSize refuses an item that is too large, or that an acquisition or a change of the expiry would make so: it could
// be stored, but then not be worked with.
func (t *Table) checkSize(it item) error {
	n := size(it)
	if a := &t.Attributes; it[a.LeaseID] == nil {
		n += len(a.LeaseID) + leaseIDBytes + len(a.LeaseDuration) + len(a.LeaseExpiry) + 2*numberBytes
	}
	if n > maxItemBytes {
		return &storage.TooLargeError{Size: n, Limit: maxItemBytes}
	}
	return nil
}

const (
	// numberBytes is the size of the longest number that an update can put in the place of another.
	numberBytes = 12
	// leaseIDBytes is the size of an ID that storage.NewVersion draws.
	leaseIDBytes = 26
)

// size returns the size of the item as DynamoDB counts it, with the longest numbers.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(it item) int {
	total := 0
	for name, value := range it {
		total += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			total += len(v.Value)
		case *types.AttributeValueMemberB:
			total += len(v.Value)
		case *types.AttributeValueMemberN:
			total += numberBytes
		}
	}
	return total
}
