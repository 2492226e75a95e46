package dynamostore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/internal/arn"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

// Table says where sessions are kept in DynamoDB, and how the table is made. Only the name is needed: the zero value of
// every other field is a good default.
type Table struct {
	// Name is the name of the table, or its ARN where it belongs to another account.
	Name string

	// PartitionKey is the partition key of the table, of type S. Default: an attribute "session_id" that holds the
	// session's storage key and nothing else.
	PartitionKey Key
	// SortKey is the sort key of the table, of type S. Default: none.
	SortKey Key
	// Attributes are the names of the other attributes.
	Attributes Attributes
	// ExpiryIndex is an index by which expired sessions are found. Default: none. TTL and scans need none.
	ExpiryIndex ExpiryIndex

	// ReadCapacity and WriteCapacity are the provisioned capacity of a new table, in units per second. Default: both 0,
	// and the table is billed on demand, by the request.
	ReadCapacity, WriteCapacity int64
	// Tags are put on a new table.
	Tags map[string]string
	// DeletionProtection keeps a new table from being deleted until the protection is turned off.
	DeletionProtection bool
	// KMSKey is the ID, ARN or alias of the key that encrypts a new table. Default: a key that AWS owns, free of
	// charge.
	KMSKey string
	// Stream gives a new table a stream with the old and the new image of each change (NEW_AND_OLD_IMAGES), from which
	// package dynamostore/stream tells what became of the sessions. Default: no stream.
	Stream bool
	// Class is the table class of a new table. Default: the standard class, which is the right one for sessions.
	Class types.TableClass
}

// Attributes names the attributes of an item. An empty name means the default.
type Attributes struct {
	// Data (B) is the payload. Default "data".
	Data string
	// CreatedAt (N) is when the session was first stored, in Unix seconds with nanoseconds as decimals. Default
	// "created_at".
	CreatedAt string
	// UpdatedAt (N) is when the item was last written, likewise. Default "updated_at".
	UpdatedAt string
	// TTL (N) is when DynamoDB may delete the item: the expiry in Unix seconds, rounded up. Default "expire_at".
	TTL string
	// Expiry (N) is when the session ends, exactly, in Unix seconds with nanoseconds as decimals. Default "expiry".
	Expiry string
	// Version (S) names the payload. Default "version".
	Version string
	// Ancestry (S) names the versions that this one was made from. Absent where there are none. Default "ancestry".
	Ancestry string
	// LeaseID (S), LeaseDuration (N, seconds) and LeaseExpiry (N, as Expiry) exist while a session is leased.
	// Default "lease_id", "lease_duration", "lease_expiry".
	LeaseID, LeaseDuration, LeaseExpiry string
	// ExpiryShard (S) and ExpiryHour (N, hours since 1970) are the key of [Table.ExpiryIndex]. They are there where the
	// table has one. Default "expiry_shard", "expiry_hour".
	ExpiryShard, ExpiryHour string
}

// Limits of DynamoDB.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxPartitionKeyBytes = 2048
	maxSortKeyBytes      = 1024
	maxItemBytes         = 400 * 1024
	maxAttributeName     = 255 // for keys; longer names are possible elsewhere, and cost on every request
	maxTags              = 50
	maxTagKey            = 128 // in characters, as the next
	maxTagValue          = 256
)

// minKeyRoom is what prefix and suffix must leave for the storage key: the 43 bytes of a scs token or of a keyed hash,
// with some to spare.
const minKeyRoom = 64

var (
	tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	indexName = tableName
	tableARN  = regexp.MustCompile(`^arn:[^:]+:dynamodb:[^:]+:[^:]+:table/[a-zA-Z0-9_.-]{3,255}$`)
	kmsKey    = regexp.MustCompile(`^(arn:[^:]+:kms:[^:]+:[^:]+:(key/[a-zA-Z0-9-]+|alias/[a-zA-Z0-9/_-]+)|alias/[a-zA-Z0-9/_-]+|[a-zA-Z0-9-]+)$`)
)

// WithDefaults returns the table with the names of attributes that were left out filled in, and the shards of an index.
func (t Table) WithDefaults() Table {
	t.PartitionKey.Name = cmp.Or(t.PartitionKey.Name, "session_id")
	a := &t.Attributes
	a.Data = cmp.Or(a.Data, "data")
	a.CreatedAt = cmp.Or(a.CreatedAt, "created_at")
	a.UpdatedAt = cmp.Or(a.UpdatedAt, "updated_at")
	a.TTL = cmp.Or(a.TTL, "expire_at")
	a.Expiry = cmp.Or(a.Expiry, "expiry")
	a.Version = cmp.Or(a.Version, "version")
	a.Ancestry = cmp.Or(a.Ancestry, "ancestry")
	a.LeaseID = cmp.Or(a.LeaseID, "lease_id")
	a.LeaseDuration = cmp.Or(a.LeaseDuration, "lease_duration")
	a.LeaseExpiry = cmp.Or(a.LeaseExpiry, "lease_expiry")
	a.ExpiryShard = cmp.Or(a.ExpiryShard, "expiry_shard")
	a.ExpiryHour = cmp.Or(a.ExpiryHour, "expiry_hour")
	if t.hasExpiryIndex() {
		t.ExpiryIndex.Shards = cmp.Or(t.ExpiryIndex.Shards, defaults.ExpiryShards)
	}
	return t
}

// AttributesWithoutData returns the names of what a driver reads of a session where it needs no data, as for
// collecting: its key, and what decides by which rule it is collected, whether it is leased, and whether it has
// changed.
func (t Table) AttributesWithoutData() []string {
	t = t.WithDefaults()
	a := t.Attributes
	names := []string{
		t.PartitionKey.Name, a.CreatedAt, a.UpdatedAt, a.Expiry, a.Version, a.Ancestry,
		a.LeaseID, a.LeaseDuration, a.LeaseExpiry,
	}
	if t.SortKey.Name != "" {
		names = append(names, t.SortKey.Name)
	}
	return names
}

// Validate reports all that is wrong with the layout, in one error, without a call.
func (t Table) Validate() error {
	t = t.WithDefaults()
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("dynamostore: Table."+format, args...))
	}
	if !tableName.MatchString(t.Name) && !tableARN.MatchString(t.Name) {
		problem("Name: %q is not a table name (3 to 255 of a-z A-Z 0-9 _ . -) and not the ARN of a table", t.Name)
	}
	if t.SortKey.Name == "" && (t.SortKey.Prefix != "" || t.SortKey.Suffix != "") {
		problem("SortKey: a prefix or suffix without a name; set Name, or leave all out")
	}
	checkAffixes := func(field string, key Key, limit int) {
		if room := limit - len(key.Prefix) - len(key.Suffix); room < minKeyRoom {
			problem("%s: prefix and suffix leave %d of %d bytes for the session's key; at least %d are needed",
				field, max(room, 0), limit, minKeyRoom)
		}
		if !utf8.ValidString(key.Prefix) || !utf8.ValidString(key.Suffix) {
			problem("%s: prefix and suffix must be valid UTF-8", field)
		}
		key.checkEnds(field, problem)
	}
	checkAffixes("PartitionKey", t.PartitionKey, maxPartitionKeyBytes)
	checkAffixes("SortKey", t.SortKey, maxSortKeyBytes)
	taken := map[string]string{}
	for _, attribute := range t.attributeFields() {
		field, name := attribute[0], attribute[1]
		if len(name) > maxAttributeName || !utf8.ValidString(name) {
			problem("%s: a name must have 1 to %d bytes of valid UTF-8", field, maxAttributeName)
		}
		if other, found := taken[name]; found {
			problem("%s: the attribute %q is already that of %s; names must differ", field, name, other)
		}
		taken[name] = field
	}
	if t.KMSKey != "" && !kmsKey.MatchString(t.KMSKey) {
		problem("KMSKey: %q is not the ID, ARN or alias of a KMS key", t.KMSKey)
	}
	if t.Class != "" && !slices.Contains(t.Class.Values(), t.Class) {
		problem("Class: %q is not a table class; there are %q", t.Class, t.Class.Values())
	}
	t.validateARNs(problem)
	t.checkTags(problem)
	t.validateExpiryIndex(problem)
	switch {
	case t.ReadCapacity < 0 || t.WriteCapacity < 0:
		problem("ReadCapacity, WriteCapacity: %d and %d; they must not be negative", t.ReadCapacity, t.WriteCapacity)
	case (t.ReadCapacity == 0) != (t.WriteCapacity == 0):
		problem("ReadCapacity, WriteCapacity: %d and %d; set both for provisioned capacity, or none for on-demand",
			t.ReadCapacity, t.WriteCapacity)
	}
	return errors.Join(problems...)
}

// validateARNs reports ARNs that contradict themselves or each other.
func (t Table) validateARNs(problem func(format string, args ...any)) {
	table, hasTable := arn.Split(t.Name)
	key, hasKey := arn.Split(t.KMSKey)
	// Else there is a problem already.
	hasTable, hasKey = hasTable && tableARN.MatchString(t.Name), hasKey && kmsKey.MatchString(t.KMSKey)
	check := func(field string, parts arn.Parts) {
		if known := arn.PartitionOf(parts.Region); known != parts.Partition {
			problem("%s: region %s is in the partition %s, but the ARN says %s", field, parts.Region, known, parts.Partition)
		}
	}
	if hasTable {
		check("Name", table)
	}
	if hasKey {
		check("KMSKey", key)
	}
	if hasTable && hasKey && table.Region != key.Region {
		problem("KMSKey: the key is in region %s, and the table in %s; a table is encrypted with a key of its own region",
			key.Region, table.Region)
	}
}

// validateClient is ValidateIn for the Region of a client, which may have none.
func (t Table) validateClient(region string) error {
	if region == "" {
		return errors.Join(t.Validate(), ErrNoRegion)
	}
	return t.ValidateIn(region)
}

// ValidateIn is Validate for a client of this Region: a table that is named by its ARN must be there, and so must a KMS
// key.
func (t Table) ValidateIn(region string) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if table, ok := arn.Split(t.Name); ok && table.Region != region {
		return fmt.Errorf("dynamostore: Table.Name: the ARN is of region %s, and the client's region is %s; a call goes to "+
			"one region: use a client of %s", table.Region, region, table.Region)
	}
	if key, ok := arn.Split(t.KMSKey); ok && key.Region != region {
		return fmt.Errorf("dynamostore: Table.KMSKey: the key is in region %s, and the client's region is %s; a table is "+
			"encrypted with a key of its own region", key.Region, region)
	}
	return nil
}

func (t Table) checkTags(problem func(format string, args ...any)) {
	if len(t.Tags) > maxTags {
		problem("Tags: %d tags; a table can have %d", len(t.Tags), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		value := t.Tags[key]
		switch {
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			problem("Tags: %q is not valid UTF-8", key)
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(value) > maxTagValue:
			problem("Tags: %q; a key has 1 to %d characters, a value at most %d", key, maxTagKey, maxTagValue)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			problem("Tags: %q; keys that begin with aws: belong to AWS", key)
		}
	}
}

// attributeFields are the fields that name attributes, with the names.
func (t Table) attributeFields() [][2]string {
	a := t.Attributes
	fields := [][2]string{
		{"PartitionKey.Name", t.PartitionKey.Name},
		{"Attributes.Data", a.Data},
		{"Attributes.CreatedAt", a.CreatedAt},
		{"Attributes.UpdatedAt", a.UpdatedAt},
		{"Attributes.TTL", a.TTL},
		{"Attributes.Expiry", a.Expiry},
		{"Attributes.Version", a.Version},
		{"Attributes.Ancestry", a.Ancestry},
		{"Attributes.LeaseID", a.LeaseID},
		{"Attributes.LeaseDuration", a.LeaseDuration},
		{"Attributes.LeaseExpiry", a.LeaseExpiry},
		{"Attributes.ExpiryShard", a.ExpiryShard},
		{"Attributes.ExpiryHour", a.ExpiryHour},
	}
	if t.SortKey.Name != "" {
		fields = append(fields, [2]string{"SortKey.Name", t.SortKey.Name})
	}
	return fields
}

// maxKeyBytes is the length of the longest storage key that fits in the primary key.
func (t Table) maxKeyBytes() int {
	limit := maxPartitionKeyBytes - len(t.PartitionKey.Prefix) - len(t.PartitionKey.Suffix)
	if t.SortKey.Name != "" {
		limit = min(limit, maxSortKeyBytes-len(t.SortKey.Prefix)-len(t.SortKey.Suffix))
	}
	return limit
}
