package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/cmd/internal/terminal"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// DynamoDB is a store on DynamoDB that is to be examined.
type DynamoDB struct {
	// Client is a client with the probe installed.
	Client *dynamodb.Client
	Probe  *Probe
	// Table is the layout, with the names of all attributes.
	Table dynamostore.Table
	// Driver and Store use the table, by clients with the probe installed.
	Driver   storage.Driver
	Store    *sessionstore.Store
	Sessions *inspect.Sessions
}

// The names of the checks on DynamoDB, in their order.
const (
	checkRegion      = "region"
	checkCredentials = "credentials"
	checkEndpoint    = "endpoint"
	checkClock       = "clock"
	checkTable       = "table"
	checkKeys        = "keys"
	checkTTL         = "ttl"
	checkIndex       = "index"
	checkTableMade   = "settings"
	checkRights      = "rights"
	checkLatency     = "latency"
)

// afterContact are the checks that need a table to talk to.
var afterContact = []string{
	checkKeys, checkTTL, checkTableMade, checkRights,
	checkContent, checkLatency, checkRoundTrip,
}

// sample is how many sessions are opened to see whether they do.
const sample = 100

// fixCall is what to do about a call that fails for no reason that is known.
const fixCall = `see what "scsdynamo table verify --verbose" says`

// Examine reports a finding for each check, in order. It changes nothing but a session of its own, which it deletes.
func (d DynamoDB) Examine(ctx context.Context, settings Settings, report func(Finding)) {
	e := examination{settings, report}
	e.settings()
	e.ok(checkRegion, "%s", d.Client.Options().Region)
	source, ok := d.credentials(ctx, e)
	if !ok {
		e.skip("there are no credentials", append([]string{checkEndpoint, checkClock, checkTable}, afterContact...)...)
		return
	}
	_, _, err := d.Driver.Get(ctx, probeKey(), storage.Strong)
	seen, rejected := d.Probe.seen(), errors.Is(err, dynamostore.ErrCredentials)
	if rejected {
		why := explain.Error(err)
		e.fail(checkCredentials, why.Fix, "%s; %s", source, why.Text)
	} else {
		e.ok(checkCredentials, "%s", source)
	}
	if !seen.answered {
		e.failed(checkEndpoint, fixCall, err)
		e.skip("nothing answers", append([]string{checkClock, checkTable}, afterContact...)...)
		return
	}
	e.ok(checkEndpoint, "%s answers", seen.endpoint)
	e.clock(seen)
	if rejected {
		e.skip("AWS does not accept the credentials", append([]string{checkTable}, afterContact...)...)
		return
	}
	if !d.table(ctx, e, err) {
		return
	}
	readable := true
	if d.rights(ctx, e) {
		readable = e.content(ctx, d.Sessions, sample, func(error) string { return fixCall },
			"correct the names in table.attributes: they are those with which the application writes")
	} else {
		e.skip("these credentials may not call Scan", checkContent)
	}
	d.latency(ctx, e)
	if !readable { // what is tried would be written under the same names, perhaps, and left there
		e.skip("what is stored cannot be read", checkRoundTrip)
		return
	}
	e.roundTrip(ctx, d.Store)
}

// Unreachable reports what can be told where no client can be made.
func Unreachable(settings Settings, err error, report func(Finding)) {
	e := examination{settings, report}
	e.settings()
	key := ""
	if wrong := (*config.Error)(nil); errors.As(err, &wrong) {
		key = wrong.Problems[0].Key
	}
	if key == "dynamodb.region" || errors.Is(err, dynamostore.ErrNoRegion) {
		e.failed(checkRegion, fixCall, err)
	} else {
		check := checkCredentials
		if key == "dynamodb.endpoint" {
			check = checkEndpoint
		}
		e.failed(check, "correct dynamodb.profile, AWS_PROFILE, or the files of the AWS SDK", err)
		if check == checkEndpoint {
			e.skip("there is no client", append([]string{checkRegion, checkCredentials, checkClock, checkTable},
				afterContact...)...)
			return
		}
	}
	e.skip("there is no client", append([]string{checkEndpoint, checkClock, checkTable}, afterContact...)...)
}

// credentialsTimeout is how long to wait for the instance metadata and others that give credentials. The SDK asks them
// three times, with pauses of up to 2 and 4 seconds: the reason that it then has says more than that it took long.
const credentialsTimeout = 8 * time.Second

// credentials says where they come from, or fails.
func (d DynamoDB) credentials(ctx context.Context, e examination) (source string, ok bool) {
	provider := d.Client.Options().Credentials
	if provider == nil {
		e.fail(checkCredentials,
			"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role", "none")
		return "", false
	}
	limited, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	credentials, err := provider.Retrieve(limited)
	switch {
	case err != nil && ctx.Err() != nil: // It says nothing about credentials.
		e.fail(checkCredentials, "raise --timeout", "not known: it took too long")
		return "", false
	case err != nil && limited.Err() != nil:
		e.fail(checkCredentials,
			"set AWS_PROFILE or AWS_ACCESS_KEY_ID; on a machine with a role, see whether its metadata service can be reached",
			"none within %s: whoever is asked for them does not answer", credentialsTimeout)
		return "", false
	case err != nil:
		why := explain.Credentials(err)
		e.fail(checkCredentials, why.Fix, "%s", why.Text)
		return "", false
	case credentials.Expired():
		e.fail(checkCredentials, "renew them, such as with: aws sso login", "from %s; they have expired", credentials.Source)
		return "", false
	case credentials.CanExpire:
		return fmt.Sprintf("from %s; they end in %s, and the SDK renews them where it can", credentials.Source,
			time.Until(credentials.Expires).Round(time.Minute)), true
	default:
		return "from " + credentials.Source, true
	}
}

// AWS refuses requests that were signed five minutes ago or ahead.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const (
	clockRefused = 5 * time.Minute
	clockWarning = 2 * time.Second
)

func (e examination) clock(seen contact) {
	const fix = "let the clock be set by NTP, such as with chrony or systemd-timesyncd"
	off := seen.skew.Abs() - seen.error // for sure
	direction := "ahead of"
	if seen.skew < 0 {
		direction = "behind"
	}
	switch {
	case !seen.hasSkew:
		e.warn(checkClock, "", "not compared: the endpoint does not say what time it is")
	case off >= clockRefused:
		e.fail(checkClock, fix, "%s %s that of the endpoint: AWS refuses requests that are off by five minutes",
			seen.skew.Abs().Round(time.Second), direction)
	case off >= clockWarning:
		e.warn(checkClock, fix,
			"%s %s that of the endpoint: sessions end so much early or late, by the clock of the application",
			seen.skew.Abs().Round(time.Second), direction)
	default:
		e.ok(checkClock, "as that of the endpoint, as far as whole seconds tell")
	}
}

// table looks at the table. contact is how the first read of an item ended. It reports whether to go on.
func (d DynamoDB) table(ctx context.Context, e examination, contact error) bool {
	description, err := d.Table.Describe(ctx, d.Client)
	switch {
	case err == nil:
	case errors.Is(err, dynamostore.ErrAccessDenied) &&
		(contact == nil || errors.Is(contact, dynamostore.ErrAccessDenied)):
		e.warn(checkTable,
			"to see it: the policy that \"scsdynamo table iam --role admin\" prints, or an administrator's credentials",
			"there, but not looked at: these credentials may not call dynamodb:DescribeTable or DescribeTimeToLive")
		e.skip("not looked at", checkKeys, checkTTL, checkTableMade)
		return true
	default:
		e.failed(checkTable, fixCall, err)
		e.skip("there is no table to look at", afterContact...)
		return false
	}
	d.describe(e, description)
	if errors.Is(contact, dynamostore.ErrTableMismatch) {
		e.skip("the table does not fit", checkRights, checkContent, checkLatency, checkRoundTrip)
		return false
	}
	return true
}

func (d DynamoDB) describe(e examination, description dynamostore.Description) {
	differences := description.Differences
	said := func(about string) string { return strings.Join(explain.InKeys(differences[about]), "; ") }
	if len(differences["status"]) > 0 {
		e.fail(checkTable, "wait until that is over, or see to it in the AWS console", "%s: %s", d.Table.Name, said("status"))
	} else {
		e.ok(checkTable, "%s: %s, %s, %s (figures up to six hours old)", d.Table.Name, description.Status,
			terminal.Count(description.Items, "item", "items"), terminal.Bytes(description.Bytes))
	}
	if len(differences["keys"]) > 0 {
		e.fail(checkKeys,
			"set table.partition_key and table.sort_key to the keys that the table has, or table.name to the table that was "+
				"meant",
			"%s", said("keys"))
	} else {
		e.ok(checkKeys, "%s", strings.Join(slices.DeleteFunc([]string{description.PartitionKey, description.SortKey},
			func(name string) bool { return name == "" }), ", "))
	}
	strong := description.MultiRegionConsistency == types.MultiRegionConsistencyStrong
	on := description.TTL == types.TimeToLiveStatusEnabled || description.TTL == types.TimeToLiveStatusEnabling
	switch {
	case len(differences["ttl"]) == 0 && strong && !on:
		e.ok(checkTTL,
			"none, as with every strongly consistent global table: expired sessions stay until gcrunner collects them")
	case len(differences["ttl"]) == 0:
		e.ok(checkTTL, "on, by %s", description.TTLAttribute)
	case on:
		e.fail(checkTTL, "correct table.attributes.ttl, or change the attribute in the AWS console",
			"on, but by %q, where table.attributes.ttl is %q: expired sessions stay", description.TTLAttribute,
			d.Table.Attributes.TTL)
	default:
		e.fail(checkTTL, `turn it on with "scsdynamo table create"`, "off: expired sessions stay")
	}
	switch index := d.Table.ExpiryIndex.Name; {
	case index == "":
	case len(differences["index"]) == 0:
		e.ok(checkIndex, "%s", index)
	case slices.Contains(description.Indexes, index):
		e.fail(checkIndex, "see what is said; the table and its sessions stay as they are", "%s", said("index"))
	default:
		e.fail(checkIndex, `add it with "scsdynamo table add-index": the table stays in use`,
			"there is no index %q: sessions that have expired are not "+
				"found by it", index)
	}
	if len(differences["settings"]) > 0 {
		e.warn(checkTableMade, "change the table in the AWS console, or the configuration", "%s", said("settings"))
	} else {
		e.ok(checkTableMade, "as configured")
	}
}

// right is an operation, and a call that needs it and changes nothing.
type right struct {
	operation string
	needed    bool // by each store
	try       func(context.Context) error
}

func (d DynamoDB) allRights() []right {
	key := probeKey()
	now := time.Now()
	absent := storage.IfVersion("none", now)
	return []right{
		{"GetItem", true, func(ctx context.Context) error {
			_, _,
				err := d.Driver.Get(ctx, key, storage.Strong)
			return err
		}},
		{"PutItem", true, func(ctx context.Context) error {
			return d.Driver.Put(ctx, storage.Record{
				Key: key, CreatedAt: now, UpdatedAt: now, ExpiresAt: now, Version: storage.NewVersion(),
			}, absent)
		}},
		{"UpdateItem", true, func(ctx context.Context) error {
			return d.Driver.Update(ctx, key, storage.Change{ExpiresAt: now}, absent)
		}},
		{"DeleteItem", true, func(ctx context.Context) error { return d.Driver.Delete(ctx, key, absent) }},
		{"Scan", false, func(ctx context.Context) error {
			_, err := d.Driver.Scan(ctx, storage.ScanRequest{Limit: 1, WithoutData: true, Consistency: storage.Eventual})
			return err
		}},
		{"BatchWriteItem", false, func(ctx context.Context) error { return d.Driver.DeleteBatch(ctx, []string{key}) }},
	}
}

// rights tries each operation under a condition that does not hold. It reports whether the table can be scanned.
func (d DynamoDB) rights(ctx context.Context, e examination) (scans bool) {
	const policy = `the policy is printed by "scsdynamo table iam --role app"`
	var all, denied, deniedExtras []string
	for _, right := range d.allRights() {
		err := right.try(ctx)
		switch {
		case errors.Is(err, dynamostore.ErrAccessDenied) && right.needed:
			denied = append(denied, right.operation)
		case errors.Is(err, dynamostore.ErrAccessDenied):
			deniedExtras = append(deniedExtras, right.operation)
		case err != nil && !errors.Is(err, storage.ErrConflict):
			why := explain.Error(err)
			e.fail(checkRights, cmp.Or(why.Fix, fixCall), "%s failed: %s", right.operation, why.Text)
			return false
		default:
			all = append(all, right.operation)
		}
	}
	switch {
	case len(denied) > 0:
		e.fail(checkRights, "allow them to this role; "+policy, "these credentials may not call %s",
			strings.Join(append(denied, deniedExtras...), ", "))
	case len(deniedExtras) > 0:
		e.warn(checkRights, "allow them to this role where they are wanted; "+policy,
			"these credentials may not call %s: listing, collecting or deleting all sessions fails",
			strings.Join(deniedExtras, ", "))
	default:
		e.ok(checkRights, "%s", strings.Join(all, ", "))
	}
	return slices.Contains(all, "Scan")
}

const (
	latencyCalls   = 10
	latencyWarning = 100 * time.Millisecond
)

// latency times the read that each request begins with.
func (d DynamoDB) latency(ctx context.Context, e examination) {
	var took []time.Duration
	for range latencyCalls {
		began := time.Now()
		if _, _, err := d.Driver.Get(ctx, probeKey(), storage.Strong); err != nil {
			e.failed(checkLatency, fixCall, err)
			return
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	median, most := took[len(took)/2], took[len(took)-1]
	text := fmt.Sprintf("p50 %s, max %s for %d reads", milliseconds(median), milliseconds(most), latencyCalls)
	if median > latencyWarning {
		e.warn(checkLatency, "run the doctor where the application runs; choose a Region that is close to it",
			"%s; each request of the application takes two calls", text)
		return
	}
	e.ok(checkLatency, "%s", text)
}
