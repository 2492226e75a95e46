package inspect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/fingerprint"
	"github.com/scsdynamo/scsdynamo/internal/sealed"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrNotFound says that no session is called so.
	ErrNotFound = errors.New("no such session: it is none of the tokens, storage keys and fingerprints that are stored; " +
		"it may have ended and been deleted, or belong to another table or secret")

	// ErrAmbiguous says that a fingerprint is too short to name one session.
	ErrAmbiguous = errors.New("several sessions have fingerprints that begin so; give more digits")

	// ErrFingerprint says that what follows "sha256:" cannot be the beginning of a fingerprint.
	ErrFingerprint = errors.New("this is not a fingerprint as lists show them: " + fingerprint.Prefix +
		" and 4 to 16 digits, 0 to 9 and a to f")
)

// leastDigits is the length of the shortest beginning of a fingerprint that is looked for.
const leastDigits = 4

// State is what a session is to the application, whatever its expiry.
type State uint8

// The states.
const (
	Opens      State = iota
	Over             // it opens, but its secret's time is up, its deadline has passed, or it was sealed too early
	OfAnother        // it was sealed with the same secret, for another application
	Foreign          // it was sealed with another secret, or with one where there is none
	Unsealed         // it was stored without a secret, and there is one
	Damaged          // it was changed, or moved to another place
	Unreadable       // the driver cannot read it
)

// Found is a session that was found.
type Found struct {
	// Record is the session as it is stored. Of one that the driver cannot read, only the key is known.
	Record storage.Record
	// State is what it is to the application.
	State State
	// Token is the session's token. It is empty where it cannot be found out.
	Token string
	// Data is what the session manager's codec made of the values.
	Data []byte
	// Err says why token and data are not known, nil where they are: it matches [storage.ErrCorrupt].
	Err error
}

// UnreadableOf returns what the driver cannot read.
func UnreadableOf(key string, err error) Found {
	return Found{Record: storage.Record{Key: key}, State: Unreadable, Err: err}
}

// IsFingerprint reports whether a name is a fingerprint or the beginning of one: Find then reads all sessions.
func IsFingerprint(name string) bool {
	digits, ok := strings.CutPrefix(name, fingerprint.Prefix)
	return ok && len(digits) >= leastDigits && len(digits) <= fingerprint.Digits &&
		strings.Trim(digits, "0123456789abcdef") == ""
}

// Find returns the sessions that an operator calls by their tokens, their storage keys or their fingerprints, or by
// tokens that a session manager with HashTokenInStore has given out. Expired ones are found, too. Fingerprints may be
// cut short; all sessions are read for them, once. The others cost a few reads each. Errors: a [*NameError] with
// [ErrNotFound], [ErrAmbiguous] or [ErrFingerprint], and the driver's.
func (s *Sessions) Find(ctx context.Context, names ...string) ([]Found, error) {
	keys, err := s.findFingerprints(ctx, names)
	if err != nil {
		return nil, err
	}
	all := make([]Found, len(names))
	for i, name := range names {
		if key, ok := keys[name]; ok {
			all[i], err = s.findKey(ctx, key)
		} else {
			all[i], err = s.findName(ctx, name)
		}
		if err != nil {
			return nil, named(i, err)
		}
	}
	return all, nil
}

// NameError says which of the names does not lead to a session. A name may be a token, so it is not repeated.
type NameError struct {
	// Index is that of the name, counted from 0.
	Index int
	// Err says why.
	Err error
}

// Error implements error.
func (e *NameError) Error() string { return e.Err.Error() }

// Unwrap makes the reason match.
func (e *NameError) Unwrap() error { return e.Err }

// named adds which name it was where the name is to blame.
func named(index int, err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAmbiguous) || errors.Is(err, ErrFingerprint) {
		return &NameError{index, err}
	}
	return err
}

// findName finds a session by what is no fingerprint.
func (s *Sessions) findName(ctx context.Context, name string) (Found, error) {
	hash := sha256.Sum256([]byte(name))
	for _, token := range []string{name, base64.RawURLEncoding.EncodeToString(hash[:])} {
		if found, err := s.findToken(ctx, token); !errors.Is(err, ErrNotFound) {
			return found, err
		}
	}
	if s.sealed { // without a secret, the key was the token
		return s.findKey(ctx, name)
	}
	return Found{}, ErrNotFound
}

// findToken finds a session under the key that any of the secrets makes of its token.
func (s *Sessions) findToken(ctx context.Context, token string) (Found, error) {
	watched := &lastRead{Driver: s.driver}
	store, err := s.timeless(watched)
	if err != nil {
		return Found{}, err
	}
	_, found, err := store.Lookup(ctx, token)
	record := watched.record
	switch {
	case errors.Is(err, storage.ErrCorrupt) && record.Version == "":
		return UnreadableOf(record.Key, err), nil
	case errors.Is(err, storage.ErrCorrupt):
		opened := s.Open(ctx, record)
		if opened.Err == nil { // It is another session's.
			opened = Found{Record: record, State: Damaged, Err: err}
		}
		return opened, nil
	case err != nil:
		return Found{}, err
	case !found && (record.Key == "" || record.Ended()):
		return Found{}, ErrNotFound
	}
	// Not found may be one that does not open, with WithUnreadableAsMiss among the options.
	return s.Open(ctx, record), nil
}

func (s *Sessions) findKey(ctx context.Context, key string) (Found, error) {
	if storage.Reserved(key) {
		return Found{}, ErrNotFound
	}
	record, found, err := s.driver.Get(ctx, key, storage.Strong)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		return UnreadableOf(key, err), nil
	case err != nil:
		return Found{}, err
	case !found, record.Ended():
		return Found{}, ErrNotFound
	}
	return s.Open(ctx, record), nil
}

// Open returns the state, the token and the data of a record that was read whole.
func (s *Sessions) Open(ctx context.Context, record storage.Record) Found {
	if !s.sealed && sealed.Likely(record.Data) {
		return Found{Record: record, State: Foreign, Err: errNoSecret}
	}
	ctx = context.WithValue(ctx, recordOf{}, record)
	found, err := open(ctx, s.opener)
	if err == nil && found == nil { // It is over, or the store keeps to itself what is wrong.
		found, err = open(ctx, s.ever)
		if found != nil {
			return Found{Record: record, State: Over, Token: found.Token, Data: found.Data}
		}
	}
	if found != nil {
		return Found{Record: record, Token: found.Token, Data: found.Data}
	}
	state, problem := s.stateOf(ctx, record)
	return Found{Record: record, State: state, Err: cmp.Or[error](err, problem)}
}

// open returns the session of the one record, nil where the store takes it for none.
func open(ctx context.Context, store *sessionstore.Store) (*sessionstore.Session, error) {
	for session, err := range store.Sessions(ctx) {
		if err != nil {
			return nil, err
		}
		return &session, nil
	}
	return nil, nil //nolint:nilnil // There is none.
}

// stateOf returns the state of a record that does not open, by what a store does with it that deletes all its own.
func (s *Sessions) stateOf(ctx context.Context, record storage.Record) (State, error) {
	deleted, err := s.owner.DeleteAll(ctx)
	switch left := errors.Is(err, sessionstore.ErrSessionsLeft); {
	case deleted > 0:
		return Damaged, errDamaged
	case !left:
		return OfAnother, errOfAnother
	case s.sealed && !sealed.Likely(record.Data):
		return Unsealed, errUnsealed
	default:
		return Foreign, errForeign
	}
}

// What a store keeps to itself, or may.
var (
	errDamaged   = &storage.CorruptError{Part: "data", Problem: "does not open: it was changed, or moved to another key"}
	errOfAnother = &storage.CorruptError{
		Part:    "data",
		Problem: "was sealed with this secret for another application, or another prefix of its keys",
	}
	errUnsealed = &storage.CorruptError{Part: "data", Problem: "is not sealed, and there is a secret"}
	errForeign  = &storage.CorruptError{Part: "data", Problem: "was sealed with a secret that is not given"}
	errNoSecret = &storage.CorruptError{Part: "data", Problem: "is sealed, and no secret is configured"}
)

// fingerprintsAmong returns the names that are fingerprints. It refuses those that only look like one.
func fingerprintsAmong(names []string) (fingerprints []string, err error) {
	for i, name := range names {
		switch {
		case IsFingerprint(name):
			fingerprints = append(fingerprints, name)
		case strings.HasPrefix(name, fingerprint.Prefix):
			return nil, named(i, ErrFingerprint)
		}
	}
	return fingerprints, nil
}

// findFingerprints returns the storage keys of the names that are fingerprints.
func (s *Sessions) findFingerprints(ctx context.Context, names []string) (map[string]string, error) {
	wanted, err := fingerprintsAmong(names)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	matches := map[string]string{} // storage keys by fingerprint
	ambiguous := map[string]bool{}
	note := func(key string) {
		is := fingerprint.Of(key)
		for _, beginning := range wanted {
			if !strings.HasPrefix(is, beginning) {
				continue
			}
			other, taken := matches[beginning]
			ambiguous[beginning] = ambiguous[beginning] || taken && other != key
			matches[beginning] = key
		}
	}
	for page, err := range s.Pages(ctx, true) {
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			note(record.Key)
		}
		for _, unreadable := range page.Unreadable {
			note(unreadable.Key)
		}
	}
	for i, name := range names {
		switch _, found := matches[name]; {
		case ambiguous[name]:
			return nil, named(i, ErrAmbiguous)
		case IsFingerprint(name) && !found:
			return nil, named(i, ErrNotFound)
		}
	}
	return matches, nil
}

// lastRead is a driver that remembers the record which it read last: a store tells less of it.
type lastRead struct {
	storage.Driver
	record storage.Record
}

// Get implements storage.Driver.
func (d *lastRead) Get(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	record, found, err := d.Driver.Get(ctx, key, consistency)
	switch session, _, arrives := ended.Arrived(record); {
	case arrives:
		d.record = session
	case ended.Destination(record) != "": // read to know whether that has arrived
	case found || errors.Is(err, storage.ErrCorrupt):
		d.record = record
		d.record.Key = key
	}
	return record, found, err
}

// recordOf is the key of the record in a context that oneRecord returns.
type recordOf struct{}

// oneRecord is a driver that has one record: that of the context. Nothing deletes it.
type oneRecord struct {
	storage.Driver
	lifted bool // whatever its expiry
}

// Scan implements storage.Driver.
func (d oneRecord) Scan(ctx context.Context, _ storage.ScanRequest) (storage.Page, error) {
	record, _ := ctx.Value(recordOf{}).(storage.Record)
	if d.lifted {
		record.ExpiresAt = time.Now().Add(time.Hour)
	}
	return storage.Page{Records: []storage.Record{record}}, nil
}

// DeleteBatch implements storage.Driver.
func (oneRecord) DeleteBatch(context.Context, []string) error { return nil }
