package sessionstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"iter"

	"github.com/scsdynamo/scsdynamo/storage"
)

// The format of sealed data:
//
//	byte 0         format, 1
//	bytes 1 to 4   generation: which secret sealed it
//	bytes 5 to 16  nonce
//	rest           AES-256-GCM of: length of the token (uvarint), token, data
//
// From a secret are derived, by HKDF-SHA-256 with the salt "scsdynamo v1" and as info the words in quotes: the "generation"
// (4 bytes), the "storage key" key and the "session data" key (32 bytes each). A session is stored under
// base64url(HMAC-SHA-256("storage key" key, token)), without padding. It is sealed under a key of its own, HKDF-Expand of
// the "session data" key with the storage key as info, so that the random nonces of one key stay few. Format, generation
// and storage key are authenticated with it, so that a record that was moved or relabelled does not open.
const (
	sealFormat     = 1
	generationSize = 4
	nonceSize      = 12
	headerSize     = 1 + generationSize + nonceSize
	tagSize        = 16
)

// generation is what is derived from one secret.
type generation struct {
	id         [generationSize]byte
	storageKey []byte
	dataKey    []byte
}

// vault turns tokens into storage keys, and seals and opens data. Without a secret, all stays as it is.
type vault []generation

// newVault derives what is needed from the secrets, the current one first.
func newVault(secrets [][]byte) vault {
	var v vault
	for _, secret := range secrets {
		var g generation
		copy(g.id[:], derive(secret, "generation", generationSize))
		g.storageKey = derive(secret, "storage key", sha256.Size)
		g.dataKey = derive(secret, "session data", sha256.Size)
		v = append(v, g)
	}
	return v
}

func derive(secret []byte, purpose string, size int) []byte {
	key, err := hkdf.Key(sha256.New, secret, []byte("scsdynamo v1"), purpose, size)
	if err != nil {
		panic(err) // only for sizes over 8160 bytes
	}
	return key
}

// generations returns under how many keys a session may be stored: one for each secret, and one without any.
func (v vault) generations() int { return max(len(v), 1) }

// keyOf returns the storage key of the token by the i-th secret. The current one is the first.
func (v vault) keyOf(i int, token string) string {
	if len(v) == 0 {
		return token
	}
	mac := hmac.New(sha256.New, v[i].storageKey)
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// keysOf returns the storage keys under which the session of the token may be, in the order in which they are to be read.
// The current one comes first and, where there are others, once more at the end: a session that moved there between the
// reads would be missed otherwise.
func (v vault) keysOf(token string) iter.Seq[string] {
	return func(yield func(string) bool) {
		current := v.keyOf(0, token)
		if !yield(current) || len(v) < 2 {
			return
		}
		for i := 1; i < len(v); i++ {
			if !yield(v.keyOf(i, token)) {
				return
			}
		}
		yield(current)
	}
}

// seal returns what is stored for the data of a session, under the current secret.
func (v vault) seal(key, token string, data []byte) ([]byte, error) {
	if len(v) == 0 {
		return data, nil
	}
	aead, err := v[0].aead(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, 0, binary.MaxVarintLen64+len(token)+len(data))
	plain = binary.AppendUvarint(plain, uint64(len(token)))
	plain = append(plain, token...)
	plain = append(plain, data...)

	sealed := make([]byte, headerSize, headerSize+len(plain)+tagSize)
	sealed[0] = sealFormat
	copy(sealed[1:], v[0].id[:])
	nonce := sealed[1+generationSize : headerSize]
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	return aead.Seal(sealed, nonce, plain, additional(sealed, key)), nil
}

// open returns the data of a record that must belong to the token.
func (v vault) open(record storage.Record, token string) ([]byte, error) {
	found, data, err := v.openAny(record)
	if err == nil && found != token {
		err = errAnotherSession
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

var errAnotherSession = &storage.CorruptError{Part: "data", Problem: "belongs to another session"}

// openAny returns the token and the data of a record.
func (v vault) openAny(record storage.Record) (token string, data []byte, err error) {
	if len(v) == 0 {
		return record.Key, record.Data, nil
	}
	sealed := record.Data
	if len(sealed) < headerSize+tagSize || sealed[0] != sealFormat {
		return "", nil, &storage.CorruptError{Part: "data", Problem: "is not sealed, although the store has a secret"}
	}
	g := v.generation([generationSize]byte(sealed[1:]))
	if g == nil {
		return "", nil, &storage.CorruptError{Part: "data", Problem: "was sealed with a secret that is not given"}
	}
	aead, err := g.aead(record.Key)
	if err != nil {
		return "", nil, err
	}
	plain, err := aead.Open(nil, sealed[1+generationSize:headerSize], sealed[headerSize:], additional(sealed, record.Key))
	if err != nil {
		return "", nil, &storage.CorruptError{Part: "data", Problem: "does not open: it was changed, or moved to another key"}
	}
	length, n := binary.Uvarint(plain)
	if n <= 0 || length > uint64(len(plain[n:])) {
		return "", nil, &storage.CorruptError{Part: "data", Problem: "has no token"}
	}
	plain = plain[n:]
	return string(plain[:length]), plain[length:], nil
}

func (v vault) generation(id [generationSize]byte) *generation {
	for i := range v {
		if v[i].id == id {
			return &v[i]
		}
	}
	return nil
}

// aead returns the cipher of one session.
func (g *generation) aead(key string) (cipher.AEAD, error) {
	sessionKey, err := hkdf.Expand(sha256.New, g.dataKey, key, sha256.Size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sessionKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// additional is what is authenticated besides the data: format, generation, storage key.
func additional(sealed []byte, key string) []byte {
	a := make([]byte, 0, 1+generationSize+len(key))
	a = append(a, sealed[:1+generationSize]...)
	return append(a, key...)
}
