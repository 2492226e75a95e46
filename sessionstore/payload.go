package sessionstore

import (
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// payload opens and makes the payloads of one session.
type payload struct {
	vault vault
	layer *layer         // has the codec
	entry *scopedSession // has the token, which a renewal changes
}

var _ lockstrategy.Payload = payload{}

// Decode implements lockstrategy.Payload.
func (p payload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	token, data, err := p.vault.openAny(record)
	if stored, next := p.layer.tokensOf(p.entry); err == nil && token != stored && token != next {
		err = errAnotherSession
	}
	if err != nil {
		return time.Time{}, nil, err
	}
	return p.layer.codec().Decode(data)
}

// Encode implements lockstrategy.Payload.
func (p payload) Encode(key string, deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := p.layer.codec().Encode(deadline, values)
	if err != nil {
		return nil, err
	}
	_, token := p.layer.tokensOf(p.entry)
	return p.vault.seal(key, token, data)
}
