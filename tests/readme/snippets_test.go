package readme_test

import (
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// The snippets that are too short to be examples of their package.
func _() error {
	store, err := boltstore.Open("sessions.db")
	if err != nil {
		return err
	}
	return store.Close()
}

func _(client dynamostore.Client, table dynamostore.Table) error {
	store, err := dynamostore.New(client, table,
		sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
		sessionstore.WithReadOnly(
			sessionstore.SafeMethods,       // GET, HEAD and OPTIONS take no lock,
			sessionstore.Paths("/logout"))) // and a logout waits for nobody
	if err != nil {
		return err
	}
	return store.Close()
}

func _(client dynamostore.Client, table dynamostore.Table, old []byte, until time.Time) error {
	secret, err := sessionstore.SecretFromFile("/run/secrets/sessions")
	if err != nil {
		return err
	}
	store, err := dynamostore.New(client, table,
		sessionstore.WithSecret(secret),
		sessionstore.WithPreviousSecret(old, until), // while the secret is being changed
		sessionstore.WithSecretContext("shop"))      // default: prefix and suffix of the table's keys
	if err != nil {
		return err
	}
	return store.Close()
}
