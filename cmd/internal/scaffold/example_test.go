package scaffold_test

import (
	"fmt"
	"log"

	"github.com/scsdynamo/scsdynamo/cmd/internal/scaffold"
)

// The settings of the Ruby gem, and what became of each.
func ExampleFromRuby() {
	migration, err := scaffold.FromRuby(scaffold.Ruby{Environ: []string{
		"AWS_DYNAMO_DB_SESSION_TABLE_NAME=web-sessions",
		"AWS_DYNAMO_DB_SESSION_LOCK_MAX_WAIT_TIME=2",
		"AWS_DYNAMO_DB_SESSION_RAISE_ERRORS=true",
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, note := range migration.Notes {
		fmt.Println(note.Option+":", note.Text)
	}
	// Output:
	// lock_max_wait_time: 2s. Seconds there.
	// raise_errors: no counterpart: all errors reach the ErrorFunc of scs's SessionManager: see sessionstore.HandleError
	// table_name: web-sessions.
}
