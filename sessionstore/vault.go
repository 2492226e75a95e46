package sessionstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/sealed"
	"github.com/scsdynamo/scsdynamo/storage"
)

// vault turns tokens into storage keys, and seals and opens data. Without a secret, all stays as it is.
type vault struct {
	secrets []generation // the current one first
	since   time.Time    // what was sealed before is over
	now     func() time.Time
}

// errOver is what is opened and no longer counts: its deadline has passed, it was sealed too early, or with a secret
// whose time is up. It is a miss, like any session that has ended.
var errOver = errors.New("sessionstore: the session is over")

// seals reports whether there is a secret.
func (v *vault) seals() bool { return len(v.secrets) > 0 }

// generations returns under how many keys a session may be stored: one for each secret, and one without any.
func (v *vault) generations() int { return max(len(v.secrets), 1) }

// keyOf returns the storage key of the token by the i-th secret. The current one is the first.
func (v *vault) keyOf(i int, token string) string {
	if !v.seals() {
		return token
	}
	return v.secrets[i].storageKey(token)
}

// keysOf returns the storage keys under which the session of the token may be, in the order in which they are to be
// read. The current one comes first and, where there are others, once more at the end: a session that moved there
// between the reads would be missed otherwise.
func (v *vault) keysOf(token string) iter.Seq[string] {
	return func(yield func(string) bool) {
		current := v.keyOf(0, token)
		if !yield(current) || len(v.secrets) < 2 {
			return
		}
		others := false
		for i, now := 1, v.now(); i < len(v.secrets); i++ {
			if !v.secrets[i].counts(now) {
				continue
			}
			if others = true; !yield(v.keyOf(i, token)) {
				return
			}
		}
		if others {
			yield(current)
		}
	}
}

// seal returns what is stored for the data of a session that ends at the deadline, under the current secret.
func (v *vault) seal(key, mark, token string, data []byte, deadline time.Time) ([]byte, error) {
	if !v.seals() {
		return data, nil
	}
	return v.secrets[0].seal(key, mark, content{token: token, data: data, sealedAt: v.now(), deadline: deadline})
}

// open returns the data of a record that must belong to the token.
func (v *vault) open(record storage.Record, token string, codec scs.Codec) ([]byte, error) {
	if !v.seals() && !markedSealed(record) { // a codec of which this store is not told may write what looks sealed
		return record.Data, nil
	}
	found, data, err := v.openAny(record, codec)
	if err == nil && found != token {
		err = errAnotherSession
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

var errAnotherSession = &storage.CorruptError{Part: "data", Problem: "belongs to another session"}

var errSealed = &storage.CorruptError{
	Part:    "data",
	Problem: "is sealed, and the store has no secret; give the one with which it was stored: sessionstore.WithSecret",
}

// openAny returns the token and the data of a record, unless it is over.
func (v *vault) openAny(record storage.Record, codec scs.Codec) (token string, data []byte, err error) {
	if !v.seals() {
		if v.originOf(record, codec) != ours {
			return "", nil, errSealed
		}
		return record.Key, record.Data, nil
	}
	return v.openAt(record, codec, v.now())
}

// openEver is openAny for a record that may have expired since a request has read it, and have come to its deadline so.
func (v *vault) openEver(record storage.Record, codec scs.Codec) (token string, data []byte, err error) {
	if !v.seals() {
		return v.openAny(record, codec)
	}
	at := v.now()
	if record.Expired(at) {
		at = time.Time{}
	}
	return v.openAt(record, codec, at)
}

// openAt opens a record that is sealed, and whose deadline must not have come at the instant.
func (v *vault) openAt(record storage.Record, codec scs.Codec, at time.Time) (token string, data []byte, err error) {
	c, g, err := v.content(record)
	if err != nil {
		return "", nil, err
	}
	if record.Data[0] == sealFormat1 {
		c.deadline, _, _ = codec.Decode(c.data) // What does not decode has none.
	}
	if !g.counts(v.now()) || c.sealedAt.Before(v.since) || !c.deadline.IsZero() && !at.Before(c.deadline) {
		return "", nil, errOver
	}
	return c.token, bounded(codec, c.data, g.until), nil
}

// content opens a record that is sealed.
func (v *vault) content(record storage.Record) (content, *generation, error) {
	header, ok := headerOf(record.Data)
	if !ok {
		return content{}, nil, &storage.CorruptError{Part: "data", Problem: "is not sealed, although the store has a secret"}
	}
	g := v.generation(header)
	if g == nil {
		return content{}, nil, &storage.CorruptError{Part: "data", Problem: "was sealed with a secret that is not given"}
	}
	c, err := g.open(record.Key, sealedMarkOf(record), header, record.Data[len(header):])
	if err == nil && g != &v.secrets[0] && g.storageKey(c.token) != record.Key {
		err = errAnotherSession // an old secret makes nothing that looks current
	}
	return c, g, err
}

// origin says whose a record is.
type origin uint8

const (
	ours     origin = iota
	anothers        // of an application that has the same secret
	unknown         // of a store with another secret, or with none where this one has one
)

// originOf returns whose a record is, by its mark or by what stands before its seal. The record may be damaged, or
// over.
func (v *vault) originOf(record storage.Record, codec scs.Codec) origin {
	if !v.seals() {
		if markedSealed(record) || looksSealed(record.Data, codec) {
			return unknown
		}
		return ours
	}
	header, _ := headerOf(record.Data)
	switch g := v.generation(header); {
	case g == nil:
		return unknown
	case g.isOfAnother(header):
		return anothers
	default:
		return ours
	}
}

// looksSealed reports whether a secret has sealed the data, by all that can be told without it: format 1 has no mark.
func looksSealed(data []byte, codec scs.Codec) bool {
	if !sealed.Likely(data) {
		return false
	}
	_, _, err := codec.Decode(data)
	return err != nil
}

// originOfUnreadable is originOf for what is no whole record. Without a secret, nothing tells a damaged session from
// any other item.
func (v *vault) originOfUnreadable(u storage.Unreadable) origin {
	if !v.seals() {
		return unknown
	}
	return v.originOf(storage.Record{Key: u.Key, Data: u.Data}, nil)
}

// generation returns that of a header, nil where it is of none.
func (v *vault) generation(header []byte) *generation {
	if len(header) == 0 {
		return nil
	}
	for i := range v.secrets {
		if id := v.secrets[i].id; bytes.Equal(id[:], header[1:1+len(id)]) {
			return &v.secrets[i]
		}
	}
	return nil
}

// bounded returns the data of a session that ends at the instant, if there is one, or before. A session keeps its
// deadline when it moves to another secret; without a bound, whoever has an old secret could make one that outlives it.
func bounded(codec scs.Codec, data []byte, until time.Time) []byte {
	if until.IsZero() {
		return data
	}
	deadline, values, err := codec.Decode(data)
	if err != nil || !deadline.After(until) {
		return data
	}
	if shorter, err := codec.Encode(until, values); err == nil {
		return shorter
	}
	return data
}

// byName returns the secrets in an order that does not depend on which of them is current.
func (v *vault) byName() []int {
	order := make([]int, v.generations())
	for i := range order {
		order[i] = i
	}
	if v.seals() {
		slices.SortFunc(order, func(i, j int) int { return bytes.Compare(v.secrets[i].id[:], v.secrets[j].id[:]) })
	}
	return order
}

// maxNameBytes is how long an owner may be who stands as he is in a storage key, which has a limit of its own.
const maxNameBytes = 128

// nameOf returns what an owner is called in storage keys.
func (v *vault) nameOf(i int, o owned) string {
	if !v.seals() {
		if len(o.value) > maxNameBytes {
			hash := sha256.Sum256([]byte(o.value))
			return o.index + "." + base64.RawURLEncoding.EncodeToString(hash[:])
		}
		return o.index + ":" + o.value
	}
	return base64.RawURLEncoding.EncodeToString(v.secrets[i].ownerMAC("roster", o, ""))
}

// tagBytes is how much of a hash tells the sessions of one owner from those of all others.
const tagBytes = 9

// tagOf returns what marks a record under the key as that of a session of the owner.
func (v *vault) tagOf(i int, o owned, key string) string {
	var sum []byte
	if v.seals() {
		sum = v.secrets[i].ownerMAC("tag", o, key)
	} else {
		hash := sha256.Sum256([]byte(ownerText("tag", o, key)))
		sum = hash[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:tagBytes])
}

// sealRoster returns what is stored of a roster of the i-th secret.
func (v *vault) sealRoster(i int, key string, plain []byte) ([]byte, error) {
	if !v.seals() {
		return plain, nil
	}
	return v.secrets[i].seal(key, rosterMark, content{data: plain, sealedAt: v.now()})
}

// openRoster undoes sealRoster. An old secret makes no roster of the current one, and none when its time is up.
func (v *vault) openRoster(i int, record storage.Record) ([]byte, error) {
	if !v.seals() {
		return record.Data, nil
	}
	header, ok := headerOf(record.Data)
	g := v.generation(header)
	if !ok || g != &v.secrets[i] || !g.counts(v.now()) {
		return nil, &storage.CorruptError{Part: "data", Problem: "was sealed with another secret, or one whose time is up"}
	}
	c, err := g.open(record.Key, rosterMark, header, record.Data[len(header):])
	return c.data, err
}

// rosterMark is in the place of a session's mark where a roster is sealed: no session has it.
const rosterMark = "roster"
