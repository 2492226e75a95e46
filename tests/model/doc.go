// Package model holds tests that play requests of several processes against each other, at random, on the whole stack
// below the session manager, and compare each result with a model that is simple enough to be trusted.
//
// The processes are stores of their own, with a strategy and a clock of their own, on one storage/memory driver. They
// run in a bubble of testing/synctest, where time passes only when everybody waits. Between each store and the driver
// is a wire that fails: calls are refused, slow, or delivered late, responses are lost, and whole processes die.
//
// What all of them write is applied in one order, and the model follows it: see the type session. The invariants that
// are checked are those that the package comments of storage, lockstrategy and sessionstore promise:
//
//   - I1: no commit succeeds over a version other than the one its request read, so that no update is lost.
//   - I2: a session that was ended is not brought back by a late commit.
//   - I3: a delete takes effect at once, whoever uses the session.
//   - I4: what was acknowledged is seen by every later read.
//   - I5: who died with a lease delays others by the lease and the clock allowance at the most.
//   - I6: a renewal or release never touches the lease of somebody else.
//   - I7: a collector never deletes a session that is live, or was changed after it was read.
//   - I8: a token that is unknown, expired or malformed is a miss, and nothing is written for it.
//   - I9: no error and no event tells a token, a key, a secret or session data.
//   - T1: what was refused was not done, whatever the same request has tried before.
//   - T2: an answer sets the cookie of a session only where its request has stored the session, or has found it there
//     when it was to move the expiry.
//   - T3: a renewal leaves the old session or the new one, with the updates of all.
//
// TestInvariants is the gate. FuzzInvariants goes on from there, for as long as it is let: scripts/fuzz.sh runs it.
package model
