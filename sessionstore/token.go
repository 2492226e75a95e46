package sessionstore

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxTokenBytes is the length of the longest token. The tokens of scs have 43 bytes. A longer one is a miss, and an
// error in Commit. Drivers may have a lower limit, with the same effect: see dynamostore.Table.
const maxTokenBytes = 2048

// validToken reports whether a token can be that of a session at all. Tokens are cookies and come from anybody: what
// DynamoDB would refuse as a key must read as a miss, not as an error. So must what is kept beside the sessions.
func validToken(token string) bool {
	return storage.ValidKey(token, maxTokenBytes) && !storage.Reserved(token)
}

// hashToken is what scs hands to a store in place of a token with HashTokenInStore.
func hashToken(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
