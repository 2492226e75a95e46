package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/sealed"
	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrNotFound says that no session is called so.
	ErrNotFound = errors.New("no such session: it is none of the tokens, storage keys and fingerprints that are stored; " +
		"it may have ended and been deleted, or belong to another table or secret")

	// ErrAmbiguous says that a fingerprint is too short to name one session.
	ErrAmbiguous = errors.New("several sessions have fingerprints that begin so; give more digits")

	// ErrFingerprint says that what follows "sha256:" cannot be the beginning of a fingerprint.
	ErrFingerprint = errors.New("this is not a fingerprint as lists show them: " + fingerprintPrefix +
		" and 4 to 16 digits, 0 to 9 and a to f")
)

// leastDigits is the length of the shortest beginning of a fingerprint that is looked for.
const leastDigits = 4

// Found is a session that was found.
type Found struct {
	// Record is the session as it is stored. Of one that the driver cannot read, only the key is known.
	Record storage.Record
	// Token is the session's token. It is empty where it cannot be found out.
	Token string
	// Data is what the session manager's codec made of the values.
	Data []byte
	// Err says why token and data are not known, nil where they are: it matches [storage.ErrCorrupt].
	Err error
}

// IsFingerprint reports whether a name is a fingerprint or the beginning of one: Find then reads all sessions.
func IsFingerprint(name string) bool {
	digits, ok := strings.CutPrefix(name, fingerprintPrefix)
	return ok && len(digits) >= leastDigits && len(digits) <= fingerprintDigits && strings.Trim(digits, "0123456789abcdef") == ""
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
	session, found, err := store.Lookup(ctx, token)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		return Found{Record: watched.record, Err: err}, nil
	case err != nil:
		return Found{}, err
	case !found && watched.record.Key != "" && !watched.record.Ended(): // with WithUnreadableAsMiss among the options
		return Found{Record: watched.record, Err: errSealed}, nil
	case !found:
		return Found{}, ErrNotFound
	}
	return Found{Record: watched.record, Token: session.Token, Data: session.Data}, nil
}

func (s *Sessions) findKey(ctx context.Context, key string) (Found, error) {
	if storage.Reserved(key) {
		return Found{}, ErrNotFound
	}
	record, found, err := s.driver.Get(ctx, key, storage.Strong)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		return Found{Record: storage.Record{Key: key}, Err: err}, nil
	case err != nil:
		return Found{}, err
	case !found, record.Ended():
		return Found{}, ErrNotFound
	}
	return s.Open(ctx, record), nil
}

// Open returns the token and the data of a record that was read whole.
func (s *Sessions) Open(ctx context.Context, record storage.Record) Found {
	if !s.sealed && sealed.Likely(record.Data) {
		return Found{Record: record, Err: errNoSecret}
	}
	for session, err := range s.opener.Sessions(context.WithValue(ctx, recordOf{}, record)) {
		if err != nil {
			return Found{Record: record, Err: err}
		}
		return Found{Record: record, Token: session.Token, Data: session.Data}
	}
	return Found{Record: record, Err: errSealed} // with WithUnreadableAsMiss among the options
}

// errSealed stands for the error that a store keeps to itself.
var errSealed = &storage.CorruptError{Part: "data", Problem: "cannot be opened with the secrets that are configured"}

// errNoSecret says that there is no secret to open data with that looks sealed.
var errNoSecret = &storage.CorruptError{Part: "data", Problem: "is sealed, and no secret is configured"}

// fingerprintsAmong returns the names that are fingerprints. It refuses those that only look like one.
func fingerprintsAmong(names []string) (fingerprints []string, err error) {
	for i, name := range names {
		switch {
		case IsFingerprint(name):
			fingerprints = append(fingerprints, name)
		case strings.HasPrefix(name, fingerprintPrefix):
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
		fingerprint := Fingerprint(key)
		for _, beginning := range wanted {
			if !strings.HasPrefix(fingerprint, beginning) {
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

// oneRecord is a driver that has one record: that of the context.
type oneRecord struct{ storage.Driver }

// Scan implements storage.Driver.
func (oneRecord) Scan(ctx context.Context, _ storage.ScanRequest) (storage.Page, error) {
	record, _ := ctx.Value(recordOf{}).(storage.Record)
	return storage.Page{Records: []storage.Record{record}}, nil
}
