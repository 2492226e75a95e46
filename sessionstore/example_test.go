package sessionstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// Work on a session outside of a web server, with the same guarantees: of two that read the same version, the optimistic
// strategy refuses the second.
func ExampleStore_Begin() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New(), sessionstore.WithStrategy(lockstrategy.Optimistic()))
	if err != nil {
		panic(err)
	}
	expiry := time.Now().Add(time.Hour)
	_ = store.CommitCtx(ctx, "token", []byte("cart: 1"), expiry)

	mine, end := store.Begin(ctx)
	defer end()
	data, _, _ := store.FindCtx(mine, "token")

	// Meanwhile, somebody else:
	theirs, endTheirs := store.Begin(ctx)
	_, _, _ = store.FindCtx(theirs, "token")
	fmt.Println(store.CommitCtx(theirs, "token", []byte("cart: 2"), expiry))
	endTheirs()

	fmt.Println(store.CommitCtx(mine, "token", append(data, '!'), expiry))
	// Output:
	// <nil>
	// another request changed the session while this one was running: storage: the condition of the write does not hold
}

// Walk over all sessions, a page at a time.
func ExampleStore_Sessions() {
	ctx := context.Background()
	store, err := sessionstore.New(memory.New())
	if err != nil {
		panic(err)
	}
	_ = store.CommitCtx(ctx, "token", []byte("data"), time.Now().Add(time.Hour))
	for session, err := range store.Sessions(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(session.Token, string(session.Data))
	}
	// Output: token data
}
