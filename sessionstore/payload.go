package sessionstore

import (
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// payload opens and makes the payloads of one session.
type payload struct {
	vault *vault
	layer *layer          // has the codec
	entry *scopedSession  // has the token, which a renewal changes
	last  *storage.Record // what was decoded last: what Encode is to replace
}

var _ lockstrategy.Payload = payload{}

// Decode implements lockstrategy.Payload.
func (p payload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	codec := p.layer.codec()
	token, data, err := p.vault.openEver(record, codec)
	if stored, next := p.layer.tokensOf(p.entry); err == nil && token != stored && token != next {
		err = errAnotherSession
	}
	if err != nil {
		return time.Time{}, nil, err
	}
	*p.last = record
	return codec.Decode(data)
}

// Encode implements lockstrategy.Payload.
func (p payload) Encode(key string, deadline time.Time, values map[string]any) ([]byte, error) {
	var marked string
	var owners []owned
	var overtakes string
	p.layer.update(func() { marked, owners, overtakes = p.entry.mark, p.entry.owners, p.entry.overtakes })
	merged, err := p.layer.store.ownersOf(values)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(merged, owners) || p.last.Version != overtakes && !p.layer.store.isOwnedByAll(*p.last, merged) {
		return nil, &mergedOwnersError{merged, *p.last}
	}
	data, err := p.layer.codec().Encode(deadline, values)
	if err != nil {
		return nil, err
	}
	_, token := p.layer.tokensOf(p.entry)
	return p.vault.seal(key, marked, token, data, deadline)
}

// seal returns the payload of a record that is about to be written. l is nil outside of a scope, and the deadline zero
// where the data was not decoded.
func (s *Store) seal(l *layer, next storage.Record, token string, data []byte, deadline time.Time) ([]byte, error) {
	if !s.vault.seals() {
		return data, nil
	}
	if deadline.IsZero() {
		deadline = s.deadline(l, data, next.ExpiresAt)
	}
	if !deadline.IsZero() && deadline.Before(next.ExpiresAt) { // whoever commits has the last word
		deadline = next.ExpiresAt
	}
	return s.vault.seal(next.Key, sealedMarkOf(next), token, data, deadline)
}

// deadline returns until when the session can live, however often its expiry moves: scs's deadline, which is in the
// data. Without an idle timeout it is the expiry. What does not decode has none.
func (s *Store) deadline(l *layer, data []byte, expiry time.Time) time.Time {
	if l != nil && l.manager != nil && l.idle() == 0 {
		return expiry
	}
	deadline, _, err := s.codecOf(l).Decode(data)
	if err != nil {
		return time.Time{}
	}
	return deadline
}

// notingCodec notes the deadline of what it has decoded last, which costs as much again.
type notingCodec struct {
	scs.Codec
	deadline time.Time
}

// Decode implements scs.Codec.
func (c *notingCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	deadline, values, err := c.Codec.Decode(data)
	c.deadline = deadline
	if err != nil {
		c.deadline = time.Time{}
	}
	return deadline, values, err
}

// codecOf returns the codec of a layer, the store's own outside of a scope.
func (s *Store) codecOf(l *layer) scs.Codec {
	if l == nil {
		return s.codec
	}
	return l.codec()
}
