package readme_test

import (
	"github.com/scsdynamo/scsdynamo/boltstore"
)

// The snippets that are too short to be examples of their package.
func _() error {
	store, err := boltstore.Open("sessions.db")
	if err != nil {
		return err
	}
	return store.Close()
}
