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
//   - In a request scope, with any strategy but None: a commit succeeds only over the version that its request read, and a
//     session that was found and then ended is not brought back.
//   - In a request scope, a commit of the values that were read moves the expiry alone. It never conflicts, and it leaves a
//     session that was changed or ended meanwhile as it is; such a session may end earlier, by the length of that request.
//   - A delete takes effect at once, whoever else uses the session.
//   - A commit after the end of its request is refused: [ErrScopeEnded].
//   - With [WithSecret], storage holds neither tokens nor data, and a record that was changed or moved does not open.
//   - Tokens and session data are in no error, no event and no log line.
//
// # Non-guarantees
//
//   - Without a scope, Commit overwrites what is there, as every scs store does: it cannot know what was read. This is so for
//     plain sessions.LoadAndSave, for scs's Iterate, and for programs that are not web servers; see [Store.Begin].
//   - scs deletes the old session in RenewToken and stores the new one at the end of the request. If the process dies, or the
//     commit fails, in between, the session is lost.
//   - scs commits before the first byte of a response is written. When that commit fails, its ErrorFunc answers, but what the
//     handler writes is appended to that answer.
//
// [scs]: https://github.com/alexedwards/scs
package sessionstore
