package sessionstore

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"

	"github.com/scsdynamo/scsdynamo/internal/roster"
)

// WithOwner gives sessions an owner: of returns who it is, from the session's values, and "" for a session that nobody
// owns. It is asked at each commit of a changed session, so that the owner changes with the values: a login, a logout,
// an impersonation. [OwnerFrom] is for an owner that is one value. What an owner has can then be listed and ended: see
// [Store.Owner].
//
// index names what kind of owner that is, such as user or tenant: 1 to 32 small letters, digits, _ and -. Several may
// be given, each under a name of its own. An owner has at most [MaxOwnerBytes] bytes of valid UTF-8 without NUL; a
// commit with another one is refused with [ErrInvalidOwner], and so is one for which of panics.
//
// Each owner has a roster in the storage (docs/owners.md). A login costs one read and one write more, mostly of one
// unit each; a renewal of the token as much; a session without an owner, and each other request, nothing. Outside of a
// request scope, each commit of a store with owners reads the session first, and is refused with [ErrSessionGone] where
// it has ended. Sessions that were there before the option
// are put on the roster by their next commit. Give it to all processes that share the sessions. Default: no owners.
func WithOwner(index string, of func(values map[string]any) string) Option {
	return func(c *config) {
		switch {
		case !indexName.MatchString(index):
			c.problem("WithOwner: the index is named %q; it needs 1 to 32 of a-z, 0-9, _ and -", index)
		case of == nil:
			c.problem("WithOwner: %s: the function is nil; see OwnerFrom", index)
		case c.owner(index) != nil:
			c.problem("WithOwner: %s is given twice", index)
		default:
			c.owners = append(c.owners, ownerIndex{name: index, of: of})
		}
	}
}

// OwnerFrom returns a function for [WithOwner] that takes a value of the session for its owner: what has a String
// method, a string or an integer of any type. What is missing, or is neither, is no owner, and so are 0 and "".
func OwnerFrom(key string) func(values map[string]any) string {
	return func(values map[string]any) string {
		if named, ok := values[key].(fmt.Stringer); ok {
			return named.String()
		}
		value := reflect.ValueOf(values[key])
		switch {
		case !value.IsValid() || value.IsZero():
			return ""
		case value.Kind() == reflect.String, value.CanInt(), value.CanUint():
			return fmt.Sprint(value.Interface())
		default:
			return ""
		}
	}
}

// OwnerLimit says what becomes of a login of an owner that has as many sessions as may be.
type OwnerLimit uint8

const (
	// DenyNew refuses the login with [ErrOwnerLimit].
	DenyNew OwnerLimit = iota
	// EndOldest ends the session whose login is the longest ago.
	EndOldest
)

// WithOwnerLimit sets how many live sessions an owner of an index may have. It is decided by the write that puts the
// session on the owner's roster, so that there are never more, however many logins come at once; where a login that is
// let in then fails, there may be one less. What ended or expired does not count. Where more live already, as after the
// limit was lowered, they stay, and so do renewals of their tokens; with EndOldest, the next login ends as many as it
// takes. Default: any number.
func WithOwnerLimit(index string, sessions int, then OwnerLimit) Option {
	return func(c *config) {
		if sessions < 1 || then > EndOldest {
			c.problem("WithOwnerLimit: %s: %d sessions, kind %d; at least 1 is needed, with DenyNew or EndOldest", index,
				sessions, then)
			return
		}
		c.limits = append(c.limits, func() error {
			o := c.owner(index)
			if o == nil {
				return fmt.Errorf("sessionstore: WithOwnerLimit: there is no index %q; give it by WithOwner", index)
			}
			o.limit = roster.Limit{Sessions: sessions, EndOldest: then == EndOldest}
			return nil
		})
	}
}

// WithOwnerDetails sets what [OwnedSession] tells of a session beside its instants, such as the device, the browser or
// the place of its login: of returns it from the request that logs in and the session's values. r is nil where the
// commit is not made in [Store.LoadAndSave], or is of a session that Iterate shows; a commit for which of panics is
// refused. It is kept on the roster, sealed where there is a secret, and asked again
// only when the session gets another token or owner. Of more than 8 details, those stay that come first in the
// alphabet; names and values are cut to 128 bytes. Default: none.
func WithOwnerDetails(of func(r *http.Request, values map[string]any) map[string]string) Option {
	return func(c *config) {
		c.details = of
		if of == nil {
			c.problem("WithOwnerDetails: the function is nil; leave the option out for the default")
		}
	}
}

// MaxOwnerBytes is how long the name of an owner may be.
const MaxOwnerBytes = 512

var indexName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// ownerIndex is one kind of owner.
type ownerIndex struct {
	name  string
	of    func(map[string]any) string
	limit roster.Limit
}

func (c *config) owner(index string) *ownerIndex {
	for i := range c.owners {
		if c.owners[i].name == index {
			return &c.owners[i]
		}
	}
	return nil
}

// applyLimits sets the limits of the indexes, in whichever order the options were given.
func (c *config) applyLimits() {
	for _, limit := range c.limits {
		c.problems = append(c.problems, limit())
	}
}

// The errors of owners.
var (
	// ErrOwnerEnded says that all sessions of the owner were ended while the request was running that logs in. Nothing
	// was written. It matches [ErrSessionGone].
	ErrOwnerEnded = fmt.Errorf("all sessions of the owner were ended while the request was running; log in anew: %w",
		ErrSessionGone)

	// ErrOwnerLimit says that the owner has as many sessions as [WithOwnerLimit] allows. Nothing was written.
	ErrOwnerLimit = errors.New("the owner has as many sessions as may be; end one of them, or raise the limit of " +
		"sessionstore.WithOwnerLimit")

	// ErrInvalidOwner says that an owner cannot be one, or that it could not be found out. Nothing was written.
	ErrInvalidOwner = fmt.Errorf("sessionstore: an owner has 1 to %d bytes of valid UTF-8 without NUL", MaxOwnerBytes)
)
