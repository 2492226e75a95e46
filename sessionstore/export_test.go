package sessionstore

import "github.com/scsdynamo/scsdynamo/storage"

// Open opens sealed data as a store with these secrets does.
func Open(record storage.Record, token string, secrets ...[]byte) ([]byte, error) {
	return newVault(secrets).open(record, token)
}
