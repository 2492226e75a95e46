// Package sessionstore is a store for the session manager [scs] that keeps sessions right when several requests of one
// user run at the same time.
//
// A [Store] works over a storage driver, which keeps the sessions, and a lock strategy, which decides what happens when
// requests meet. It is usually made by dynamostore.New or boltstore.Open:
//
//	sessions := scs.New()
//	sessions.Store = store
//	sessions.ErrorFunc = sessionstore.HandleError
//	handler := store.LoadAndSave(sessions)(mux)
//
// [Store.LoadAndSave] stands in for the method of the same name of the session manager. It opens a request scope, in which
// the store remembers which version of a session the request read. That is what the guarantees below rest on: the
// interface of a scs store alone, Find here and Commit there, has no room for it.
//
// # Guarantees
//
//   - A session is dead at its exact expiry, whatever storage still holds.
//   - A token that is unknown, expired, empty, oversized or malformed is a miss, never an error, and writes nothing.
//   - In a request scope, with any strategy but None: a commit succeeds only over the version that its request read, or with
//     which it was merged, and a session that was found and then ended is not brought back. Package lockstrategy says what
//     each strategy does where requests meet.
//   - In a request scope, a commit of the values that were read moves the expiry alone, and not even that within the touch
//     interval ([WithTouchInterval]). It never conflicts, and it leaves a session that was changed or ended meanwhile as it
//     is. Such a session may end earlier than its last request would have it: by the touch interval, and by the length of
//     the request.
//   - What a request holds is given back when its response begins, and whatever way it ends: commit, no change, panic,
//     hijack, stream, a client that went away.
//   - A delete takes effect at once, whoever else uses the session.
//   - A commit after the end of its request, as by a goroutine that outlives it, is refused: [ErrScopeEnded].
//   - Where a commit fails, the client gets the answer of the session manager's ErrorFunc and nothing else.
//   - With [WithSecret], storage holds neither tokens nor data, and a record that was changed or moved does not open.
//   - Tokens and session data are in no error, no event and no log line.
//
// # Several sessions in one request
//
// A strategy that locks does so for the session that a middleware loads, for each session manager whose LoadAndSave is
// around the handler. A session that the handler reads beside it, as with MergeSession, is never locked: two requests that
// each wait for the other's session would wait forever.
//
// # Non-guarantees
//
//   - Without a scope, Commit overwrites what is there, as every scs store does: it cannot know what was read. This is so for
//     plain sessions.LoadAndSave, for scs's Iterate, and for programs that are not web servers; see [Store.Begin]. It is
//     logged, once.
//   - scs deletes the old session in RenewToken and stores the new one at the end of the request. If the process dies, or the
//     commit fails, in between, the session is lost.
//   - scs commits before the first byte of a response. What a handler puts into the session after that is not stored, unless
//     it commits by hand; by then the session is unlocked, and its commit is refused if somebody else has changed it.
//
// [scs]: https://github.com/alexedwards/scs
package sessionstore
