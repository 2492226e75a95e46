package sessionstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// The format of sealed data:
//
//	byte 0         format, 2
//	bytes 1 to 4   generation: which secret sealed it
//	bytes 5 to 8   context: for which application
//	bytes 9 to 20  nonce, random
//	rest           AES-256-GCM of: instant of sealing, deadline (8 bytes each, microseconds since 1970, big-endian;
//	               a deadline of 0 means none), length of the token (uvarint), token, data
//
// From a secret are derived by HKDF-SHA-256, with the salt "scsdynamo v1": the generation (info "generation", 4 bytes)
// and the storage key's key (info "storage key", 32 bytes). With the salt "scsdynamo v2", and the application's context
// behind the info: the context's tag (info "context:", 4 bytes), the data's key (info "session data:", 32 bytes) and
// the owners' key (info "owner:", 32 bytes), which names the rosters of owners and marks their sessions. A session is
// stored under base64url(HMAC-SHA-256(the storage key's key, token)), without padding. It is sealed under a key of its
// own, HKDF-Expand of the data's key with the storage key as info, so that the random nonces of one key stay few. What
// stands before the nonce and the storage key are authenticated with it. So a record that was moved, to another key or
// to another application, or relabelled, does not open.
//
// The context has no part in the storage key: it would hide a session of format 1 under another key, which would have
// to be read for each token that nobody has. The tokens of two applications differ anyway.
//
// Format 1, which is opened and no longer made, has neither context nor instants: its header has 5 bytes, the data's
// key the salt "scsdynamo v1" and the info "session data".
const (
	sealFormat1    = 1
	sealFormat     = 2
	generationSize = 4
	contextSize    = 4
	headerSize1    = 1 + generationSize
	headerSize     = headerSize1 + contextSize
	nonceSize      = 12
	tagSize        = 16
	instantSize    = 8
)

// generation is one secret. Keys are in closures, where nothing that prints or walks over fields finds them.
type generation struct {
	id, context [generationSize]byte
	until       time.Time // when it stops to count; zero for never
	storageKey  func(token string) string
	ownerMAC    func(what string, o owned, key string) []byte
	dataKey     func(format byte) []byte
}

// content is what is sealed.
type content struct {
	token              string
	data               []byte
	sealedAt, deadline time.Time // zero in format 1; a deadline is zero where there is none
}

// newGeneration derives what is needed from a secret, for an application.
func newGeneration(secret []byte, context string, until time.Time) generation {
	const v1, v2 = "scsdynamo v1", "scsdynamo v2"
	macKey := derive(secret, v1, "storage key", sha256.Size)
	macs := sync.Pool{New: func() any { return hmac.New(sha256.New, macKey) }} // to key one costs more than to use it
	ownerKey := derive(secret, v2, "owner:"+context, sha256.Size)
	data1 := derive(secret, v1, "session data", sha256.Size)
	data2 := derive(secret, v2, "session data:"+context, sha256.Size)
	return generation{
		id:      [generationSize]byte(derive(secret, v1, "generation", generationSize)),
		context: [contextSize]byte(derive(secret, v2, "context:"+context, contextSize)),
		until:   until,
		storageKey: func(token string) string {
			mac := macs.Get().(hash.Hash) //nolint:forcetypeassert // Nothing else is in it.
			defer macs.Put(mac)
			mac.Reset()
			mac.Write([]byte(token))
			var sum [sha256.Size]byte
			return base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0]))
		},
		ownerMAC: func(what string, o owned, key string) []byte {
			mac := hmac.New(sha256.New, ownerKey)
			mac.Write([]byte(ownerText(what, o, key)))
			return mac.Sum(nil)
		},
		dataKey: func(format byte) []byte {
			if format == sealFormat1 {
				return data1
			}
			return data2
		},
	}
}

// ownerText is what is hashed of an owner. No part has NUL in it.
func ownerText(what string, o owned, key string) string {
	return strings.Join([]string{what, o.index, o.value, key}, "\x00")
}

func derive(secret []byte, salt, info string, size int) []byte {
	key, err := hkdf.Key(sha256.New, secret, []byte(salt), info, size)
	if err != nil {
		panic(err) // only for sizes over 8160 bytes
	}
	return key
}

// counts reports whether what the secret has sealed is accepted at now.
func (g *generation) counts(now time.Time) bool { return g.until.IsZero() || now.Before(g.until) }

// aead returns the cipher of one session, which puts a random nonce in front.
func (g *generation) aead(format byte, key string) (cipher.AEAD, error) {
	sessionKey, err := hkdf.Expand(sha256.New, g.dataKey(format), key, sha256.Size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sessionKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block) // the only GCM there is where FIPS 140 is enforced
}

// seal returns the content as it is stored under the key, in a record with this mark.
func (g *generation) seal(key, mark string, c content) ([]byte, error) {
	aead, err := g.aead(sealFormat, key)
	if err != nil {
		return nil, err
	}
	about := binary.BigEndian.AppendUint64(nil, uint64(c.sealedAt.UnixMicro()))
	about = binary.BigEndian.AppendUint64(about, uint64(micros(c.deadline))) //nolint:gosec // likewise
	about = binary.AppendUvarint(about, uint64(len(c.token)))
	plain := slices.Concat(about, []byte(c.token), c.data)
	header := slices.Concat([]byte{sealFormat}, g.id[:], g.context[:])
	//nolint:gosec // it draws the nonce itself
	return aead.Seal(header, nil, plain, slices.Concat(header, []byte(key), []byte(mark))), nil
}

// headerOf returns what stands before the nonce of sealed data, if it is of a format that is known, and whether what
// must follow may be there, too.
func headerOf(sealed []byte) (header []byte, whole bool) {
	var size int
	switch {
	case len(sealed) >= headerSize && sealed[0] == sealFormat:
		size = headerSize
	case len(sealed) >= headerSize1 && sealed[0] == sealFormat1:
		size = headerSize1
	default:
		return nil, false
	}
	return sealed[:size:size], len(sealed) >= size+nonceSize+tagSize
}

// isOfAnother reports whether a header of this generation was made for another application. In format 1, none says so.
func (g *generation) isOfAnother(header []byte) bool {
	return header[0] == sealFormat && [contextSize]byte(header[headerSize1:]) != g.context
}

var errAnotherApplication = &storage.CorruptError{
	Part:    "data",
	Problem: "was sealed for another application, or another prefix of its keys; see sessionstore.WithSecretContext",
}

// open returns what is sealed behind a header of this generation, in a record under the key.
func (g *generation) open(key, mark string, header, sealed []byte) (content, error) {
	format := header[0]
	if g.isOfAnother(header) {
		return content{}, errAnotherApplication
	}
	aead, err := g.aead(format, key)
	if err != nil {
		return content{}, err
	}
	plain, err := aead.Open(nil, nil, sealed, slices.Concat(header, []byte(key), []byte(mark)))
	if err != nil {
		return content{}, &storage.CorruptError{
			Part:    "data",
			Problem: "does not open: it was changed, or moved to another key",
		}
	}
	var c content
	if format == sealFormat && len(plain) >= 2*instantSize {
		c.sealedAt, c.deadline = instant(plain), instant(plain[instantSize:])
		plain = plain[2*instantSize:]
	}
	length, n := binary.Uvarint(plain)
	if n <= 0 || length > uint64(len(plain[n:])) {
		return content{}, &storage.CorruptError{Part: "data", Problem: "has no token"}
	}
	plain = plain[n:]
	c.token, c.data = string(plain[:length]), plain[length:]
	return c, nil
}

// micros returns a deadline as it is sealed: not before the instant, and 0 for none.
func micros(deadline time.Time) int64 {
	if deadline.IsZero() {
		return 0
	}
	m := deadline.UnixMicro()
	if m < math.MaxInt64 && deadline.After(time.UnixMicro(m)) {
		m++
	}
	return max(m, 1)
}

func instant(b []byte) time.Time {
	m := int64(binary.BigEndian.Uint64(b)) //nolint:gosec // the bits, not the number
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(m)
}
