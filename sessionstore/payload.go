package sessionstore

import (
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// payload opens and makes the payloads of one session.
type payload struct {
	vault vault
	layer *layer // has the codec
	token string
}

var _ lockstrategy.Payload = payload{}

// Decode implements lockstrategy.Payload.
func (p payload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	data, err := p.vault.open(record, p.token)
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
	return p.vault.seal(key, p.token, data)
}
