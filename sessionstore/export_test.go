package sessionstore

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// Open opens sealed data as a store with these secrets does, over a driver that says nothing of a namespace.
func Open(record storage.Record, token string, secrets ...[]byte) ([]byte, error) {
	var s sealing
	for _, secret := range secrets {
		s.secrets = append(s.secrets, newGivenSecret("", secret, time.Time{}))
	}
	return s.vault(memory.New(), time.Now).open(record, token, scs.GobCodec{})
}

// Unseal returns all that is sealed in a record, as microseconds where it is an instant.
func Unseal(record storage.Record, secret []byte,
	context string,
) (token, data string, sealedAt, deadline int64, err error) {
	g := newGeneration(secret, context, time.Time{})
	header, ok := headerOf(record.Data)
	if !ok {
		return "", "", 0, 0, storage.ErrCorrupt
	}
	c, err := g.open(record.Key, managerMarkOf(record), header, record.Data[len(header):])
	if err != nil {
		return "", "", 0, 0, err
	}
	return c.token, string(c.data), c.sealedAt.UnixMicro(), micros(c.deadline), nil
}

// SealUnder seals with a secret for any key, in any record, at an instant.
func SealUnder(secret []byte, context string, record storage.Record, token string, data []byte,
	at, deadline time.Time,
) []byte {
	g := newGeneration(secret, context, time.Time{})
	sealed, err := g.seal(record.Key, managerMarkOf(record),
		content{token: token, data: data, sealedAt: at, deadline: deadline})
	if err != nil {
		panic(err)
	}
	return sealed
}

// StorageKeyOf returns the storage key of a token.
func StorageKeyOf(secret []byte, token string) string {
	return newGeneration(secret, "", time.Time{}).storageKey(token)
}

// WeaknessOf says why bytes are no secret.
func WeaknessOf(secret []byte) string { return weaknessOf(secret) }

// OpenSince is Open with an instant since which sessions must have been sealed.
func OpenSince(record storage.Record, token string, since time.Time, secret []byte) ([]byte, error) {
	s := sealing{secrets: []givenSecret{newGivenSecret("", secret, time.Time{})}, since: since}
	return s.vault(memory.New(), time.Now).open(record, token, scs.GobCodec{})
}

// SealFormat1 seals as earlier versions did.
func SealFormat1(secret []byte, key, token string, data []byte) []byte {
	g := newGeneration(secret, "", time.Time{})
	aead, err := g.aead(sealFormat1, key)
	if err != nil {
		panic(err)
	}
	header := append([]byte{sealFormat1}, g.id[:]...)
	plain := append(binary.AppendUvarint(nil, uint64(len(token))), token...)
	return aead.Seal(header, nil, append(plain, data...), append(slices.Clone(header), key...))
}

// KeysOf returns what is derived from a secret and must be in nobody's hands.
func KeysOf(secret []byte, context string) [][]byte {
	return [][]byte{
		derive(secret, "scsdynamo v1", "storage key", 32), derive(secret, "scsdynamo v1", "session data", 32),
		derive(secret, "scsdynamo v2", "session data:"+context, 32),
	}
}

// TypedBits returns by how many bits a secret is more likely to be typed than to be random, in base64 and in
// hexadecimal.
func TypedBits(secret []byte) (asBase64, asHex float64) {
	return typedBase64(base64.RawStdEncoding.EncodeToString(secret)), typedHex(hex.EncodeToString(secret))
}

// TypistTotals returns what the chances of all symbols add up to behind a text, in base64 and in hexadecimal.
func TypistTotals(text []byte) (asBase64, asHex float64) {
	total := func(habits []habit, symbols int) (total float64) {
		t := newTypist(habits)
		all := make([]byte, len(text))
		for i, b := range text {
			all[i] = b % byte(symbols)
			t.learn(t.chance(all[:i], all[i]))
		}
		for next := range symbols {
			total += t.chance(all, byte(next))
		}
		return total
	}
	return total(base64Habits, len(base64Symbols)), total(hexHabits, len(hexSymbols))
}
