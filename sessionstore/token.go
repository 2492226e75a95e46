package sessionstore

import "github.com/scsdynamo/scsdynamo/storage"

// MaxTokenBytes is the length of the longest token. The tokens of scs have 43 bytes. A longer one is a miss, and an error
// in Commit. Drivers may have a lower limit, with the same effect: see dynamostore.Table.
const MaxTokenBytes = 2048

// validToken reports whether a token can be that of a session at all. Tokens are cookies and come from anybody: what
// DynamoDB would refuse as a key must read as a miss, not as an error. So must what is kept beside the sessions.
func validToken(token string) bool {
	return storage.ValidKey(token, MaxTokenBytes) && !storage.Reserved(token)
}
