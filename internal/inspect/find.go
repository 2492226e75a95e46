package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

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

// Find returns the session that an operator calls by its token, its storage key or its fingerprint, or by a token that a
// session manager with HashTokenInStore has given out. Expired ones are found, too. A fingerprint may be cut short, and
// is looked for in all sessions; the others cost a few reads. Errors: [ErrNotFound], [ErrAmbiguous], [ErrFingerprint], and
// the driver's.
func (s *Sessions) Find(ctx context.Context, name string) (Found, error) {
	switch {
	case IsFingerprint(name):
		return s.findFingerprint(ctx, name)
	case strings.HasPrefix(name, fingerprintPrefix):
		return Found{}, ErrFingerprint
	}
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
	case !found && watched.record.Key != "": // with WithUnreadableAsMiss among the options
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
	case !found:
		return Found{}, ErrNotFound
	}
	return s.Open(ctx, record)
}

// Open returns the token and the data of a record that was read whole.
func (s *Sessions) Open(ctx context.Context, record storage.Record) (Found, error) {
	store, err := s.timeless(oneRecord{s.driver, record})
	if err != nil {
		return Found{}, err
	}
	for session, err := range store.Sessions(ctx) {
		if err != nil {
			return Found{Record: record, Err: err}, nil
		}
		return Found{Record: record, Token: session.Token, Data: session.Data}, nil
	}
	return Found{Record: record, Err: errSealed}, nil // with WithUnreadableAsMiss among the options
}

// errSealed stands for the error that a store keeps to itself.
var errSealed = &storage.CorruptError{Part: "data", Problem: "cannot be opened with the secrets that are configured"}

func (s *Sessions) findFingerprint(ctx context.Context, beginning string) (Found, error) {
	var key string
	matches := 0
	note := func(candidate string) {
		if strings.HasPrefix(Fingerprint(candidate), beginning) {
			key = candidate
			matches++
		}
	}
	for page, err := range s.Pages(ctx, storage.WithoutData) {
		if err != nil {
			return Found{}, err
		}
		for _, record := range page.Records {
			note(record.Key)
		}
		for _, unreadable := range page.Unreadable {
			note(unreadable.Key)
		}
	}
	switch matches {
	case 0:
		return Found{}, ErrNotFound
	case 1:
		return s.findKey(ctx, key)
	default:
		return Found{}, ErrAmbiguous
	}
}

// lastRead is a driver that remembers the record which it read last: a store tells less of it.
type lastRead struct {
	Driver
	record storage.Record
}

// Get implements storage.Driver.
func (d *lastRead) Get(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	record, found, err := d.Driver.Get(ctx, key, consistency)
	if found || errors.Is(err, storage.ErrCorrupt) {
		d.record = record
		d.record.Key = key
	}
	return record, found, err
}

// oneRecord is a driver that has one record.
type oneRecord struct {
	Driver
	record storage.Record
}

// Scan implements storage.Scanner.
func (d oneRecord) Scan(context.Context, storage.ScanRequest) (storage.Page, error) {
	return storage.Page{Records: []storage.Record{d.record}}, nil
}
