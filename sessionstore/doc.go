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
// [Store.LoadAndSave] stands in for the method of the same name of the session manager. It opens a request scope, in
// which the store remembers which version of a session the request read. That is what the guarantees below rest on: the
// interface of a scs store alone, Find here and Commit there, has no room for it.
//
// # Guarantees
//
//   - A session is dead at its exact expiry, whatever storage still holds.
//   - A token that is unknown, expired, empty, oversized or malformed is a miss, never an error, and writes nothing.
//   - In a request scope, with any strategy but None: a commit succeeds only over the version that its request read, or
//     with which it was merged, and a session that was found and then ended is not brought back. Package lockstrategy
//     says what each strategy does where requests meet.
//   - In a request scope, a commit of the values that were read moves the expiry alone, and not even that within the
//     touch interval ([WithTouchInterval]). It never conflicts, and it leaves a session that was changed or ended
//     meanwhile as it is. Such a session may end earlier than its last request would have it: by the touch interval,
//     and by the length of the request.
//   - In a request scope, with any strategy but None, a renewal of the token is one step: the session lives under the
//     old token or under the new one. Where it is refused, the user has the old one, with everything in it. One that
//     was ended meanwhile is not renewed, and of two renewals at once one is refused. MergeSession likewise takes in
//     the other session, or leaves both as they were.
//   - A request with the old token begins no session for 10 seconds after a renewal, so that its cookie does not take
//     the place of the renewed one: its commit is [ErrTokenRenewed]. Until then, a logout with the old token ends the
//     renewed session.
//   - What a request is told is what happened. [storage.ErrOutcomeUnknown] says that it could not be found out, and
//     stays true for what the same request does next. Every other error says that nothing of the commit is stored.
//   - A response has the session's cookie where the session was stored, or its expiry was moved.
//   - What a request holds is given back when its response begins, and whatever way it ends: commit, no change, panic,
//     hijack, stream, a client that went away.
//   - What a handler has done is stored although its client has gone, for 5 seconds at the most.
//   - A delete takes effect at once, whoever else uses the session, and also where a create of the session arrives
//     late.
//   - A commit after the end of its request, as by a goroutine that outlives it, is refused: [ErrScopeEnded].
//   - Where a commit fails, the client gets the answer of the session manager's ErrorFunc and nothing else.
//   - With [WithSecret], storage holds neither tokens nor data; a record that was changed, or moved to another key or
//     another application, does not open; and a session is over at the deadline that the session manager gave it,
//     however far its expiry was moved.
//   - Tokens and session data are in no error, no event and no log line.
//
// # Several sessions in one request
//
// A strategy that locks does so for the session that a middleware loads, for each session manager whose LoadAndSave is
// around the handler. Two managers must be nested in the same order everywhere: two requests that each have one session
// and wait for the other's would wait until their time is up. A session that the handler reads beside it, as with
// MergeSession, is not locked. A commit to one, as within scs's Iterate, takes its lock for that one write, and waits
// for it like any request: two handlers that each have one session and commit to the other's wait until their time is
// up.
//
// Managers may share a store. Those with different cookie names do not accept each other's tokens, and do not iterate
// over each other's sessions, in scopes of LoadAndSave: a commit marks the session with the name. Sessions without a
// mark, such as those that were stored by scs's own middleware or under [Store.Begin], are everybody's until they are
// committed. Those with one name share their sessions. Where the middlewares of two are within each other, a handler
// has the scope of the inner one: what it commits by hand of a session that was loaded is its manager's, a new session
// that is committed by hand is the inner manager's, and Iterate and MergeSession see the inner manager's sessions. Give
// each manager a store of its own, with prefixes of their own, where that does not fit.
//
// Of several sessions that are renewed in one scope, each is committed before the next one is renewed: else the commits
// are refused, as it cannot be told whose they are. Within scs's Iterate that is so for each session by itself.
//
// Sessions that a handler iterates over are known by their version, too: within scs's Iterate, Put, Commit and Destroy
// work, and overwrite nothing that others have changed since. What a handler commits to its own session in that way,
// and then changes the session otherwise, the later change overwrites, as in scs: the two are one request's.
//
// # Non-guarantees
//
//   - Without a scope, Commit overwrites what is there, as every scs store does: it cannot know what was read. This is
//     so for plain sessions.LoadAndSave and for programs that are not web servers; see [Store.Begin]. It is logged,
//     once. Renewing then deletes the old session at once, and a refused commit loses it.
//   - Without a scope, scs's Iterate cannot end or change what it shows if the manager has HashTokenInStore:
//     [ErrNotShown].
//   - A process that dies while it renews a token leaves the old session as it was, and one that nobody has the token
//     of. One that dies in MergeSession may leave the other session beside what it was merged into.
//   - A write that was given up may arrive up to 15 minutes late. It is refused where the session has changed or ended
//     meanwhile.
//   - The session is committed before the first byte of a response. What a handler puts into the session after that is
//     not stored, unless it commits by hand; by then the session is unlocked, and its commit is refused if somebody
//     else has changed it.
//   - A value that is changed in place, without Put, is stored only where something else was changed, or with an idle
//     timeout.
//
// [scs]: https://github.com/alexedwards/scs
package sessionstore
