package sessionstore

import (
	"slices"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// sealing is what is set about secrets.
type sealing struct {
	secrets  []givenSecret // of WithSecret
	previous []givenSecret // of WithPreviousSecret
	context  *string
	since    time.Time
}

// givenSecret keeps its bytes where nothing that prints finds them.
type givenSecret struct {
	bytes func() []byte
	until time.Time
	by    string // the option
}

// WithSecret makes a copy of the storage useless to whoever has no secret: sessions are stored under a keyed hash of
// their token, and token and data are encrypted and bound to that place, to the application ([WithSecretContext]) and
// to the deadline of the session. A secret is at least [MinSecretBytes] random bytes, the same for all processes that
// share the sessions. One is refused that is text, repeats a short piece or has little variety, or whose base64 or
// hexadecimal reads as English words, neighbouring keys, counting, or digits alone. Of random ones, less than one in
// 10⁹ is. That is a net for mistakes, no proof: what was derived from a password looks random. [ParseSecret],
// [SecretFromFile] and [SecretFromEnv] read one. Without this option, storage holds tokens and data as they are.
//
// To change the secret, take two steps. First give the new one behind the current one, in all processes, so that each
// of them finds sessions under it. When that is everywhere, put the new one first and the old one behind it: sessions
// of old secrets are found, and move to the new one with their next commit. A process that does not know the new secret
// does not find a session that has moved: it takes the user for a stranger, and cannot log him out. An old secret can
// be left out once the lifetime of a session has passed; [WithPreviousSecret] takes one out by itself. Whoever knows an
// old one, and can write to the storage, can make sessions as long as it is there: after a leak, leave it out at once.
// As long as it is there, a miss costs one more read, and a delete one more write, for each old secret. Adding the
// first secret to a store that had none ends the sessions that are stored.
//
// The deadline is that of the session manager: however the expiry in the storage is moved, the session is over then. It
// is read from the data with the manager's codec in a scope that [Store.LoadAndSave] opens, with that of [WithCodec]
// otherwise. Data that does not decode has no deadline but the expiry.
func WithSecret(current []byte, previous ...[]byte) Option {
	return func(c *config) {
		c.sealing.secrets = nil
		for _, secret := range append([][]byte{current}, previous...) {
			c.sealing.secrets = append(c.sealing.secrets, newGivenSecret("WithSecret", secret, time.Time{}))
		}
	}
}

// WithPreviousSecret adds a secret that was current before, as the further ones of [WithSecret], and that counts until
// an instant. From then on its sessions are not found, and it costs nothing more. What moves to the current secret
// before ends at that instant, too, unless the session's token is renewed: no session outlives the secret that it began
// with. So let it be the end of the last process that has the secret as its current one, and the lifetime of a session.
// May be given several times, the latest secret first. Default: none.
func WithPreviousSecret(previous []byte, until time.Time) Option {
	return func(c *config) {
		c.sealing.previous = append(c.sealing.previous, newGivenSecret("WithPreviousSecret", previous, until))
		if until.IsZero() {
			c.problem("WithPreviousSecret: the instant is zero; give the one until which the secret counts, or the secret to " +
				"WithSecret")
		}
	}
}

// WithSecretContext names the application whose sessions these are. A session that was sealed for one application does
// not open in another, whoever moves it there, although the two have the same secret. It is the same for all processes
// that share the sessions; changing it ends the sessions that are stored, each with an error that matches
// [storage.ErrCorrupt], or as [WithUnreadableAsMiss] says. Default: what the driver says of its namespace, as
// dynamostore's does of the prefix and suffix of the table's keys: that is the same for all applications without
// either, also where each has a table of its own. Without a secret this option does nothing.
func WithSecretContext(application string) Option {
	return func(c *config) {
		c.sealing.context = &application
		if application == "" {
			c.problem("WithSecretContext: the context is empty; leave the option out for the default")
		}
	}
}

// WithSealedSince refuses sessions that were sealed before an instant: they are not there, and their users log in
// again. It is for after a restore, which brings back sessions that have ended, and after a leak. Sealing is what each
// commit does that changes a session, and the instant is that of the clock of its process. A session of an earlier
// version of this module, which does not say when it was sealed, is refused whatever the instant. It needs
// [WithSecret]. Default: none are refused.
func WithSealedSince(t time.Time) Option {
	return func(c *config) {
		c.sealing.since = t
		if ahead := time.Until(t); ahead > maxAhead {
			c.problem("WithSealedSince: %s has not come; sessions that begin before would be refused", t.Format(time.RFC3339))
		}
	}
}

func newGivenSecret(option string, secret []byte, until time.Time) givenSecret {
	secret = slices.Clone(secret)
	return givenSecret{bytes: func() []byte { return secret }, until: until, by: option}
}

// all returns the secrets, the current one first.
func (s *sealing) all() []givenSecret { return slices.Concat(s.secrets, s.previous) }

// maxAhead is by how much the clock that names an instant may be ahead.
const maxAhead = time.Hour

// problems says what is wrong with the secrets. It tells nothing of them but their length.
func (s *sealing) problems(problem func(format string, args ...any)) {
	if len(s.secrets) == 0 {
		if len(s.previous) > 0 {
			problem("WithPreviousSecret: there is no current secret; give it with WithSecret")
		}
		if !s.since.IsZero() {
			problem("WithSealedSince: without a secret nothing is sealed; give one with WithSecret")
		}
	}
	given := s.all()
	for i, secret := range given {
		if weakness := weaknessOf(secret.bytes()); weakness != "" {
			problem("%s: secret %d %s", secret.by, i+1, weakness)
		}
		for j, other := range given[:i] {
			if string(secret.bytes()) == string(other.bytes()) {
				problem("%s: secrets %d and %d are the same", secret.by, j+1, i+1)
			}
		}
	}
}

// contextOf returns what sessions are bound to. A name that is given and a namespace are never the same.
func (s *sealing) contextOf(driver storage.Driver) string {
	if s.context != nil {
		return "application:" + *s.context
	}
	return "namespace:" + driver.Namespace()
}

// vault returns what seals with these secrets.
func (s *sealing) vault(driver storage.Driver, now func() time.Time) *vault {
	v := &vault{since: s.since.Truncate(time.Microsecond), now: now}
	for _, secret := range s.all() {
		v.secrets = append(v.secrets, newGeneration(secret.bytes(), s.contextOf(driver), secret.until))
	}
	return v
}
