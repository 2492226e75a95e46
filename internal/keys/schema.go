package keys

import (
	"time"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
)

// How drivers, strategies, reads and policies are called.
const (
	DriverDynamoDB = "dynamodb"
	DriverBolt     = "bolt"

	StrategyNone       = "none"
	StrategyOptimistic = "optimistic"
	StrategyMerge      = "merge"
	StrategyLease      = "lease"

	ReadsStrong             = "strong"
	ReadsEventual           = "eventual"
	ReadsEventualThenStrong = "eventual-then-strong"

	SameKeyOurs   = "ours"
	SameKeyTheirs = "theirs"

	secretExample = "base64-of-32-random-bytes" //nolint:gosec // It stands for a secret, and is none.
)

// newSchema returns everything that can be set. Defaults are the constants of the packages that the keys are about.
func newSchema() []Key {
	var keys []Key
	for _, group := range [][]Key{
		{{
			Name: "driver", Kind: Choice, Choices: []string{DriverDynamoDB, DriverBolt}, Fallback: DriverDynamoDB,
			Doc: "Where sessions are kept: in a DynamoDB table, or in a file on this machine (bbolt), for one process. What " +
				"is set for the other one is checked, and otherwise ignored.",
			Option: "dynamostore.New, boltstore.Open",
		}},
		dynamoKeys(), tableKeys(), boltKeys(), secretKeys(), sessionKeys(), strategyKeys(), collectionKeys(),
	} {
		keys = append(keys, group...)
	}
	for i, key := range keys {
		keys[i].Default = Format(key.Fallback)
	}
	return keys
}

func dynamoKeys() []Key {
	return []Key{{
		Name: "dynamodb.region", Kind: Text, Otherwise: "what the AWS SDK finds, such as AWS_REGION", Example: "eu-central-1",
		Check: checkRegion,
		Doc:   "AWS Region of the table.", Option: "aws-sdk-go-v2/config.WithRegion",
	}, {
		Name: "dynamodb.endpoint", Kind: Text,
		Otherwise: "that of AWS, or what the AWS SDK finds in AWS_ENDPOINT_URL_DYNAMODB",
		Example:   "http://127.0.0.1:8000", Check: checkEndpoint,
		Doc: "URL of another DynamoDB, such as DynamoDB Local. Region and credentials are needed there, too; DynamoDB " +
			"Local takes any, of letters and digits.",
		Option: "dynamodb.Options.BaseEndpoint",
	}, {
		Name: "dynamodb.profile", Kind: Text, Otherwise: "what the AWS SDK finds, such as AWS_PROFILE", Example: "staging",
		Doc: "Profile of the AWS configuration and credentials files. Credentials themselves are the SDK's matter: role, " +
			"environment or profile.",
		Option: "aws-sdk-go-v2/config.WithSharedConfigProfile",
	}, {
		Name: "dynamodb.attempt_timeout", Kind: Duration, Fallback: defaults.AttemptTimeout, Least: ms(10), Most: ms(60_000),
		Doc:    "How long one attempt of a request may take. Not longer than dynamodb.operation_timeout.",
		Option: "dynamostore.TuneClient",
	}, {
		Name: "dynamodb.operation_timeout", Kind: Duration, Fallback: defaults.OperationTimeout, Least: ms(10),
		Most:   ms(600_000),
		Doc:    "How long a request may take with all its attempts.",
		Option: "dynamostore.TuneClient",
	}, {
		Name: "dynamodb.max_attempts", Kind: Integer, Fallback: int64(defaults.MaxAttempts), Least: 1, Most: 100,
		Unit: "attempts", Doc: "How often a request is tried at most.", Option: "dynamostore.TuneClient",
	}}
}

// tableKeys are the layout of the table and how it is made.
func tableKeys() []Key {
	table := dynamostore.Table{Name: "sessions"}.WithDefaults()
	keys := []Key{{
		Name: "table.name", Kind: Text, Fallback: table.Name, Doc: "Name of the table, or its ARN where it belongs to " +
			"another account.",
		Option: "dynamostore.Table.Name",
	}, {
		Name: "table.partition_key.name", Kind: Text, Fallback: table.PartitionKey.Name,
		Doc: "Attribute that is the partition key, of type S.", Option: "dynamostore.Table.PartitionKey.Name",
	}, {
		Name: "table.partition_key.prefix", Kind: Text, Fallback: "", Empty: true,
		Doc: "What stands before the session's key in the partition key. It keeps sessions apart from other items in the " +
			"same " +
			"table; scans and collection stay inside it. It ends with a separator: an ASCII character that is no letter, no " +
			"digit and " +
			"none of - _ %, such as : or #.",
		Option: "dynamostore.Table.PartitionKey.Prefix",
	}, {
		Name: "table.partition_key.suffix", Kind: Text, Fallback: "", Empty: true,
		Doc:    "What stands behind the session's key in the partition key. It begins with a separator, as a prefix ends.",
		Option: "dynamostore.Table.PartitionKey.Suffix",
	}, {
		Name: "table.sort_key.name", Kind: Text, Otherwise: "the table has no sort key", Example: "sk",
		Doc:    "Attribute that is the sort key, of type S. Its value, too, is the session's key between prefix and suffix.",
		Option: "dynamostore.Table.SortKey.Name",
	}, {
		Name: "table.sort_key.prefix", Kind: Text, Fallback: "", Empty: true,
		Doc:    "What stands before the session's key in the sort key. It ends with a separator.",
		Option: "dynamostore.Table.SortKey.Prefix",
	}, {
		Name: "table.sort_key.suffix", Kind: Text, Fallback: "", Empty: true,
		Doc:    "What stands behind the session's key in the sort key. It begins with a separator.",
		Option: "dynamostore.Table.SortKey.Suffix",
	}}
	a := table.Attributes
	for _, attribute := range []struct{ name, field, fallback, doc string }{
		{"data", "Data", a.Data, "Attribute (B) with the session's data."},
		{"created_at", "CreatedAt", a.CreatedAt, "Attribute (N) that says when the session was first stored."},
		{"updated_at", "UpdatedAt", a.UpdatedAt, "Attribute (N) that says when the item was last written."},
		{"ttl", "TTL", a.TTL, "Attribute (N) by which DynamoDB's TTL deletes items: the expiry in whole seconds."},
		{"expiry", "Expiry", a.Expiry, "Attribute (N) that says exactly when the session ends."},
		{"version", "Version", a.Version, "Attribute (S) that names the payload."},
		{"ancestry", "Ancestry", a.Ancestry, "Attribute (S) that names the versions before."},
		{"lease_id", "LeaseID", a.LeaseID, "Attribute (S) that names the lease on the session."},
		{"lease_duration", "LeaseDuration", a.LeaseDuration, "Attribute (N) that says how long the lease lasts."},
		{"lease_expiry", "LeaseExpiry", a.LeaseExpiry, "Attribute (N) that says when the lease ends, by its holder's clock."},
		{"expiry_shard", "ExpiryShard", a.ExpiryShard, "Attribute (S) with the shard of table.expiry_index."},
		{
			"expiry_hour", "ExpiryHour", a.ExpiryHour,
			"Attribute (N) with the hour in which the session ends, for table.expiry_index.",
		},
	} {
		keys = append(keys, Key{
			Name: "table.attributes." + attribute.name, Kind: Text, Fallback: attribute.fallback, Doc: attribute.doc,
			Option: "dynamostore.Table.Attributes." + attribute.field,
		})
	}
	return append(keys, Key{
		Name: "table.expiry_index.name", Kind: Text, Otherwise: "the table has no index", Example: "expiry",
		Doc: "Name of an index by which collection finds expired sessions without reading the others. Writes cost a " +
			"little more " +
			"with it; docs/operations.md compares. It must be the same for all programs. \"scsdynamo table add-index\" adds " +
			"it to " +
			"a table in use.",
		Option: "dynamostore.Table.ExpiryIndex.Name",
	}, Key{
		Name: "table.expiry_index.shards", Kind: Integer, Fallback: int64(defaults.ExpiryShards), Least: 1,
		Most: defaults.MaxExpiryShards, Unit: "shards",
		Doc:    "Over how many partitions of the index writes are spread. Each is enough for 500 logins a second.",
		Option: "dynamostore.Table.ExpiryIndex.Shards",
	}, Key{
		Name: "table.create", Kind: Boolean, Fallback: false,
		Doc: "Whether the program makes the table at its start where there is none, with TTL, and waits for it. It needs " +
			"the rights for that. Better is to make it once, with \"scsdynamo table create\". The keys below are about that.",
		Option: "dynamostore.Table.Create",
	}, Key{
		Name: "table.read_capacity", Kind: Integer, Fallback: int64(0), Most: 1_000_000, Unit: "read units per second",
		Doc: "Provisioned read capacity of a new table. 0 for both capacities means that it is billed by the request. " +
			"Set both or none.",
		Option: "dynamostore.Table.ReadCapacity",
	}, Key{
		Name: "table.write_capacity", Kind: Integer, Fallback: int64(0), Most: 1_000_000, Unit: "write units per second",
		Doc: "Provisioned write capacity of a new table.", Option: "dynamostore.Table.WriteCapacity",
	}, Key{
		Name: "table.tags", Kind: Map, Otherwise: "no tags", Example: "{team: web, stage: test}",
		Doc: "Tags of a new table.", Option: "dynamostore.Table.Tags",
	}, Key{
		Name: "table.deletion_protection", Kind: Boolean, Fallback: false,
		Doc:    "Whether a new table is kept from being deleted until the protection is turned off.",
		Option: "dynamostore.Table.DeletionProtection",
	}, Key{
		Name: "table.stream", Kind: Boolean, Fallback: false,
		Doc: "Whether a new table has a stream with the old and the new image of each change, from which programs learn " +
			"what became of the sessions; see docs/streams.md.",
		Option: "dynamostore.Table.Stream",
	}, Key{
		Name: "table.kms_key", Kind: Text, Otherwise: "a key that AWS owns, free of charge", Example: "alias/sessions",
		Doc: "ID, ARN or alias of the key that encrypts a new table.", Option: "dynamostore.Table.KMSKey",
	}, Key{
		Name: "table.class", Kind: Choice, Choices: []string{"STANDARD", "STANDARD_INFREQUENT_ACCESS"},
		Otherwise: "STANDARD, by AWS", Example: "STANDARD",
		Doc: "Table class of a new table. STANDARD is the right one for sessions.", Option: "dynamostore.Table.Class",
	})
}

func boltKeys() []Key {
	return []Key{{
		Name: "bolt.path", Kind: Text, Fallback: "sessions.db", Check: checkPath,
		Doc:    "The file that holds the sessions. It is made where there is none; its directory must exist.",
		Option: "boltstore.Open",
	}, {
		Name: "bolt.lock_timeout", Kind: Duration, Fallback: defaults.LockTimeout, Least: ms(1),
		Doc:    "How long to wait for another process to let go of the file.",
		Option: "boltstore.WithLockTimeout",
	}, {
		Name: "bolt.grace", Kind: Duration, Fallback: defaults.Grace,
		Doc:    "How long a session is kept after its expiry before a later write may remove it.",
		Option: "boltstore.WithGrace",
	}}
}

func secretKeys() []Key {
	return []Key{{
		Name: "secret.current", Kind: Text, Secret: true, Otherwise: "no secret: tokens and data are stored as they are",
		Example: secretExample,
		Doc: "The secret that seals sessions: base64, or hexadecimal, of at least 32 random bytes, the same for all " +
			"processes. Set this or " +
			"secret.current_file. The command \"openssl rand -base64 32\" makes one.",
		Option: "sessionstore.WithSecret",
	}, {
		Name: "secret.current_file", Kind: Text, Otherwise: "no file", Example: "/run/secrets/sessions", Check: checkPath,
		Doc:    "A file that holds secret.current, such as one that Docker or Kubernetes mounts.",
		Option: "sessionstore.WithSecret",
	}, {
		Name: "secret.previous", Kind: List, Secret: true, Otherwise: "no secrets",
		Example: "[" + secretExample + "]",
		Doc: "Secrets that were current before, the latest first. Their sessions are found, and move to the current one. " +
			"Each " +
			"costs a read more for a token that is unknown; take it out once the lifetime of a session has passed.",
		Option: "sessionstore.WithSecret",
	}, {
		Name: "secret.previous_files", Kind: List, Otherwise: "no files", Example: "[/run/secrets/sessions-old]",
		Check:  checkPath,
		Doc:    "Files that hold previous secrets. They come behind those of secret.previous.",
		Option: "sessionstore.WithSecret",
	}, {
		Name: "secret.previous_until", Kind: Text, Otherwise: "until they are taken out", Example: "2030-01-31T12:00:00Z",
		Check: checkInstant,
		Doc: "The instant until which previous secrets count, as RFC 3339 writes it: what they have sealed ends then at " +
			"the latest. " +
			"Let it be the end of the last process that has the secret as its current one, and the lifetime of a session.",
		Option: "sessionstore.WithPreviousSecret",
	}, {
		Name: "secret.context", Kind: Text, Otherwise: "prefix and suffix of the keys", Example: "shop",
		Doc: "The application whose sessions these are, the same for all its processes. Sessions that were sealed for " +
			"another do not " +
			"open. Changing it ends all sessions.",
		Option: "sessionstore.WithSecretContext",
	}, {
		Name: "secret.sealed_since", Kind: Text, Otherwise: "any", Example: "2025-01-31T12:00:00Z", Check: checkInstant,
		Doc: "The instant, as RFC 3339 writes it, before which a session must not have been sealed: others are not there. " +
			"It is for " +
			"after a restore or a leak.",
		Option: "sessionstore.WithSealedSince",
	}}
}

func sessionKeys() []Key {
	return []Key{{
		Name: "sessions.reads", Kind: Choice, Choices: []string{ReadsStrong, ReadsEventual, ReadsEventualThenStrong},
		Fallback: ReadsStrong,
		Doc: "How fresh the reads of sessions are. eventual costs half and may miss the latest commits; " +
			"eventual-then-strong looks twice before a session is not found.",
		Option: "sessionstore.WithReads",
	}, {
		Name: "sessions.touch_interval", Kind: Duration, Otherwise: "a tenth of the idle timeout, at most 1m", Example: "30s",
		Doc: "By how much the expiry of a session must move to be written where nothing else has changed. 0s writes in " +
			"every request.",
		Option: "sessionstore.WithTouchInterval",
	}, {
		Name: "sessions.read_only_methods", Kind: List, Otherwise: "none", Example: "[GET, HEAD, OPTIONS]",
		Check: checkMethods,
		Doc: "HTTP methods whose requests only read their session: with the strategy lease, they take no lock and " +
			"never wait.",
		Option: "sessionstore.WithReadOnly",
	}, {
		Name: "sessions.unreadable_as_miss", Kind: Boolean, Fallback: false,
		Doc: "Whether a session that cannot be read (damaged, foreign, sealed with another secret) is one that is not " +
			"there, in " +
			"place of an error.",
		Option: "sessionstore.WithUnreadableAsMiss",
	}, {
		Name: "sessions.page_size", Kind: Integer, Otherwise: "what the driver finds best", Example: "1000", Least: 1,
		Most: 1_000_000, Unit: "sessions", Doc: "How many sessions are looked at in one call when they are listed.",
		Option: "sessionstore.WithPageSize",
	}}
}

func strategyKeys() []Key {
	return []Key{{
		Name: "strategy", Kind: Choice, Choices: []string{StrategyNone, StrategyOptimistic, StrategyMerge, StrategyLease},
		Fallback: StrategyMerge,
		Doc: "What happens when requests of one user meet in one session: the last commit wins (none), the later is " +
			"refused (optimistic), both are merged (merge), or one waits for the other (lease). " +
			"docs/locking.md says how to choose.",
		Option: "sessionstore.WithStrategy",
	}, {
		Name: "merge.same_key", Kind: Choice, Choices: []string{SameKeyOurs, SameKeyTheirs}, Fallback: SameKeyOurs,
		Doc: "Which value stays where two requests have changed the same one: that of the later commit (ours) or that of " +
			"the earlier (theirs).",
		Option: "lockstrategy.Merge",
	}, {
		Name: "lease.duration", Kind: Duration, Fallback: defaults.LeaseDuration, Least: int64(defaults.MinLeaseDuration),
		Doc:    "How long a lease lasts if it is not renewed, and so how long others wait after a process died.",
		Option: "lockstrategy.LeaseOptions.Duration",
	}, {
		Name: "lease.max_wait", Kind: Duration, Fallback: defaults.LeaseMaxWait, Least: int64(defaults.MinLeaseMaxWait),
		Doc:    "How long a request waits for its session.",
		Option: "lockstrategy.LeaseOptions.MaxWait",
	}, {
		Name: "lease.max_hold", Kind: Duration, Otherwise: "1m, or lease.duration where that is longer", Example: "30s",
		Doc: "How long one request may have its session: then the lease is given up and its commit refused. Not shorter " +
			"than lease.duration; 0s sets no limit.",
		Option: "lockstrategy.LeaseOptions.MaxHold",
	}, {
		Name: "lease.max_waiting", Kind: Integer, Fallback: int64(defaults.LeaseMaxWaiting), Least: 1, Unit: "requests",
		Doc:    "How many requests of a process may wait for one session. One more is refused at once.",
		Option: "lockstrategy.LeaseOptions.MaxWaiting",
	}, {
		Name: "lease.renewal", Kind: Duration, Otherwise: "a third of lease.duration", Example: "1500ms",
		Doc: "How often the lease of a running request is renewed. 0s switches renewal off, as AWS Lambda needs it. " +
			"Shorter than " +
			"lease.duration.",
		Option: "lockstrategy.LeaseOptions.Renewal",
	}, {
		Name: "lease.clock_allowance", Kind: Duration, Otherwise: "a tenth of lease.duration", Example: "500ms",
		Doc: "How much longer than its duration a lease must have been seen unchanged before it is taken over. Shorter " +
			"than lease.duration.",
		Option: "lockstrategy.LeaseOptions.ClockAllowance",
	}}
}

func ms(n int64) int64 { return n * int64(time.Millisecond) }
